# SPDX-License-Identifier: Apache-2.0
"""The verbs of the command line as functions.

All of them take `config` (a TOML file), `device` (auto, cpu, cuda or cuda:N), `threads` (0: all cores), `progress` (True:
a bar by tqdm; False: nothing, and no warnings; or an object with begin, update, end, warn and note) and settings by
their keys (docs/configuration.md). They raise InputError, a ValueError, where the command line exits with 2, DeviceError
where it exits with 3, MemoryError for 4, and KeyboardInterrupt at Ctrl-C.
"""
from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from . import _core
from ._frames import Given
from ._progress import shown
from ._settings import sources

if TYPE_CHECKING:
    import pyarrow

    from ._objects import Dataset, Delta, Explanation, Metrics, Model

Path = Union[str, "os.PathLike[str]"]
Text = Optional[str]
Table = Any  # a path, a table that speaks the Arrow C stream interface, a dict of columns, or a list of these


def _fill(flags, **values):
    for name, value in values.items():
        if value is not None:
            setattr(flags, name, value)
    return flags


def _names(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _path(value):
    return None if value is None else os.fspath(value)


def ingest(log: Table = None, out: Optional[Path] = None, *, user_column: Text = None, item_column: Text = None,
           time_column: Text = None, event_column: Text = None, weight_column: Text = None, session_column: Text = None,
           part_column: Text = None, item_table: Table = None, validation: Table = None, test: Table = None,
           filter: Union[str, Sequence[str], None] = None, format: Text = None, train: Table = None,
           sequences: Optional[Path] = None, attributes: Optional[Path] = None, prefix: Optional[Path] = None,
           benchmark: Union[str, Sequence[str], None] = None, separator: Text = None, quote: Text = None,
           escape: Text = None, strict: bool = False, config: Optional[Path] = None, threads: Optional[int] = None,
           progress: Any = True, **settings: Any) -> Dataset:
    """Reads a behaviour log and an item table into a data set, `out` (X.data), and opens it.

    `log`, `item_table`, `validation` and `test` are paths or tables in memory, or lists of these; `log` may also be a
    SciPy matrix of users x items, whose entries are interactions with a weight. Returns a Dataset; its `report` says what
    was kept and rejected. A bad table is an InputError that names it, the row and the column.

    >>> import pyarrow as pa
    >>> rows = {"who": ["a", "a", "b", "b", "c", "c"], "what": ["x", "y", "y", "z", "x", "z"]}
    >>> data = penchant.ingest(pa.table(rows), tmp / "tiny.data", user_column="who", item_column="what", progress=False)
    >>> data.num_users, data.num_items
    (3, 3)
    >>> penchant.ingest(pa.table(rows), tmp / "no.data", user_column="wo", item_column="what")
    Traceback (most recent call last):
        ...
    penchant.InputError: <log>: no column 'wo', did you mean 'who'?; the columns are: who, what
    """
    from ._objects import Dataset

    given = Given()
    logs = given.take("log", log)
    roles = {"user_column": user_column, "item_column": item_column, "weight_column": weight_column}
    roles = {role: roles[role] if roles[role] is not None else given.columns.get(role) for role in roles}
    flags = _fill(_core.IngestFlags(), out=_path(out), format=format, sequences=_path(sequences), attributes=_path(attributes),
                  prefix=_path(prefix), separator=separator, quote=quote, escape=escape, log=logs,
                  train=given.take("train", train), validation=given.take("validation", validation),
                  test=given.take("test", test), benchmark=_names(benchmark), item_table=given.take("item_table", item_table),
                  filters=_names(filter), time_column=time_column, event_column=event_column, session_column=session_column,
                  part_column=part_column, strict=strict, **roles)
    with shown(progress) as sink:
        report = json.loads(_core.ingest(sources(settings, config, None, threads), flags, given.frames, sink))
    return Dataset(report["out"], report=report)


def _vector_files(vectors):
    """NAME=FILE of each file of vectors, and of each file of ids that comes with one."""
    files, ids = [], []
    for name, given in dict(vectors or {}).items():
        file, *rest = given if isinstance(given, (tuple, list)) else (given,)
        files.append(f"{name}={os.fspath(file)}")
        ids += [f"{name}={os.fspath(path)}" for path in rest]
    return {"vectors": files, "vector_ids": ids}


def append(data: Path, log: Table = None, *, events: Optional[Path] = None, item_table: Table = None,
           vectors: Optional[dict] = None, out: Optional[Path] = None, strict: bool = False, key: Optional[Path] = None,
           same_user: Optional[Path] = None, threads: Optional[int] = None, progress: Any = True,
           **settings: Any) -> Dataset:
    """Adds rows that came later to a data set that ingest read from tables, and opens it: `out`, or `data` itself.

    `log` and `item_table` are paths or tables in memory, or lists of these, with the columns of the data set's own;
    `events`, in place of `log`, is the folder of `penchant serve --events`. `vectors` has, by the name of an attribute that
    is made of a file of vectors, the file of new items' vectors, or a pair of it and the file of its raw ids. Dense ids and parts of the rows that are there stay; files that were taken in before, and rows that are there, change nothing.
    `key` is the file with the key of the data set's pseudonyms, and `same_user` the table of people's accounts, where they are not where its log had them.
    Returns a Dataset; its `report` has rows, known_files, num_new_users, num_new_items, new_train, new_validation, new_test.

    >>> import pyarrow as pa
    >>> rows = {"who": ["a", "a", "b", "b", "c", "c"], "what": ["x", "y", "y", "z", "x", "z"], "when": [1, 2, 1, 2, 1, 2]}
    >>> data = penchant.ingest(pa.table(rows), tmp / "grows.data", user_column="who", item_column="what", time_column="when",
    ...                        progress=False)
    >>> more = penchant.append(data, pa.table({"who": ["a", "d"], "what": ["y", "new"], "when": [2, 3]}), progress=False)
    >>> more.num_users, more.num_items, more.report["rows"]["kept"]
    (4, 4, 1)
    """
    from ._objects import Dataset

    given = Given()
    flags = _fill(_core.AppendFlags(), data=os.fspath(data), log=given.take("log", log), out=_path(out),
                  events=_path(events), item_table=given.take("item_table", item_table), strict=strict, key=_path(key), same_user=_path(same_user),
                  **_vector_files(vectors))
    with shown(progress) as sink:
        report = json.loads(_core.append(sources(settings, None, None, threads), flags, given.frames, sink))
    return Dataset(report["out"], report=report)


def update(data: Path, model: Path, log: Table = None, *, events: Optional[Path] = None, item_table: Table = None,
           vectors: Optional[dict] = None, budget: Union[int, str, None] = None, keep: int = 1, strict: bool = False, key: Optional[Path] = None, same_user: Optional[Path] = None,
           device: Text = None, threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Model:
    """Adds rows that came later to a data set as penchant.append does, trains its model on from where it was, and opens that.

    Both are replaced together; the last `keep` versions of each stay beside them as X.data.v1, X.model.v1 and so on. Without
    rows the model is brought up to a data set that has grown already. What was chosen when the model was trained stays; how
    long it trains on the new rows' validation part says, within `budget` (seconds, or such as "5m"). The model's `training`
    says what happened: rows, data_version, model_version, trained, seconds, moved, how far vectors of known users and
    items moved (quantiles of cosine, distance and share of their length), and of a mixture whose vectors learn
    known_items_move: False, an index of earlier item vectors still serves; True, it needs the new ones (`delta`).

    >>> shop = penchant.ingest(tmp / "tiny.csv", tmp / "living.data", progress=False)  # doctest: +SKIP
    >>> model = penchant.train(shop, tmp / "living.model", budget="30s", progress=False)  # doctest: +SKIP
    >>> model.update("june.csv").training["moved"]["items"]["cosine"]["median"]  # doctest: +SKIP
    0.98
    """
    from ._objects import Model

    given = Given()
    rows = _fill(_core.AppendFlags(), data=os.fspath(data), log=given.take("log", log), events=_path(events),
                 item_table=given.take("item_table", item_table), strict=strict, key=_path(key), same_user=_path(same_user),
                 **_vector_files(vectors))
    flags = _fill(_core.UpdateFlags(), rows=rows, model=os.fspath(model), budget=None if budget is None else str(budget), keep=keep)
    with shown(progress) as sink:
        done = json.loads(_core.update(sources(settings, None, device, threads), flags, given.frames, sink))
    return Model(os.fspath(model), data=data, device=device, threads=threads, training=done)


def forget(data: Path, users: Any = None, items: Any = None, *, out: Optional[Path] = None, key: Optional[Path] = None,
           threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Dataset:
    """Takes users or items out of a data set, with all that it holds of them, and opens it: `out`, or `data` itself.

    `users` and `items` are lists of raw ids, or files with one a line; of a data set with pseudonyms these, or raw ids with the file
    of their `key`. Ids that are not known are counted; a list of which none
    is known is an InputError. Returns a Dataset; its `report` says what went (num_forgotten_users, num_forgotten_items,
    num_items_of_theirs, forgotten_train, forgotten_validation, forgotten_test), and under `remaining` what lies beside it and may
    still hold them, such as models. What is forgotten comes back with files that hold it: docs/formats.md.

    >>> import pyarrow as pa
    >>> rows = {"who": ["a", "a", "b", "b", "c", "c"], "what": ["x", "y", "y", "z", "x", "y"]}
    >>> data = penchant.ingest(pa.table(rows), tmp / "forgets.data", user_column="who", item_column="what", progress=False)
    >>> less = penchant.forget(data, users=["b", "nobody"], progress=False)
    >>> less.user_ids.to_pylist(), less.item_ids.to_pylist(), less.report["num_unknown_users"]
    (['a', 'c'], ['x', 'y'], 1)
    """
    from ._objects import Dataset, _ids

    flags = _fill(_core.ForgetFlags(), data=os.fspath(data), out=_path(out), key=_path(key))
    for name, given in (("users", users), ("items", items)):
        if isinstance(given, (str, os.PathLike)):
            setattr(flags, f"{name}_file", os.fspath(given))
        elif given is not None:
            setattr(flags, name, _ids(given))
    with shown(progress) as sink:
        report = json.loads(_core.forget(sources(settings, None, None, threads), flags, sink))
    return Dataset(report["out"], report=report)


def pseudonyms(ids: Any, key: Path, kind: str = "user") -> list:
    """The pseudonyms that raw ids have by a key (docs/privacy.md), in their order: what a data set that was read with
    data.pseudonymise calls them.

    `ids`: a list of raw ids, or a file with one a line. `kind`: user, item or session. Raises InputError: a key that is
    missing, shorter than 32 bytes, or open to others than its owner.

    >>> penchant.new_key(tmp / "secret.key")
    >>> [ann] = penchant.pseudonyms(["ann"], tmp / "secret.key")
    >>> ann[:3], len(ann)
    ('pu_', 35)
    >>> import pyarrow as pa
    >>> rows = {"who": ["ann", "ann", "bob", "bob"], "what": ["x", "y", "y", "z"]}
    >>> data = penchant.ingest(pa.table(rows), tmp / "hidden.data", user_column="who", item_column="what", progress=False,
    ...                        **{"data.pseudonymise": ["user"], "data.pseudonym_key": str(tmp / "secret.key")})
    >>> data.user_ids.to_pylist()[0] == ann
    True
    """
    from ._objects import _ids

    flags = _fill(_core.PseudonymFlags(), key=os.fspath(key), kind=kind)
    if isinstance(ids, (str, os.PathLike)):
        flags.ids_file = os.fspath(ids)
    else:
        flags.ids = _ids(ids)
    return _core.pseudonyms(flags)


def new_key(path: Path) -> None:
    """Writes a key of 256 random bits for pseudonyms, that its owner alone may read. Raises InputError where something is."""
    _core.pseudonyms(_fill(_core.PseudonymFlags(), new_key=os.fspath(path)))


def train(data: Path, out: Optional[Path] = None, *, budget: Union[int, str, None] = None, seed: Optional[int] = None,
          resume: bool = False, epsilon: Optional[float] = None, delta: Optional[float] = None, config: Optional[Path] = None,
          device: Text = None, threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Model:
    """Trains a model on a data set, writes it to `out` (X.model), and opens it.

    `budget`: time to plan for where model.kind is auto, in seconds or such as "5m". `resume` goes on from the checkpoint of
    a training that was stopped: Ctrl-C raises KeyboardInterrupt once a checkpoint is written. Returns a Model; its `training`
    says what was done: device, epochs_run, best_validation, chosen, seconds. `epsilon` (above 0) and `delta` (below 1 / users)
    make it a private model, whose releases the ledger beside the data set counts (docs/privacy_differential.md); raises
    penchant.InputError where its budget does not cover one more, and publishes nothing.
    """
    from ._objects import Model

    flags = _fill(_core.TrainFlags(), data=os.fspath(data), out=_path(out), budget=None if budget is None else str(budget),
                  seed=seed, resume=resume, epsilon=epsilon, delta=delta)
    with shown(progress) as sink:
        training = json.loads(_core.train(sources(settings, config, device, threads), flags, sink))
    return Model(training["out"], data, device=device, threads=threads, training=training)


def evaluate(data: Path, model: Path, *, split: str = "test", ranking: Text = None, baselines: bool = False,
             widths: Optional[Sequence[int]] = None, config: Optional[Path] = None, device: Text = None,
             threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Metrics:
    """Ranks all items for all users with held-out items. Returns Metrics: a dict {metric: value} with the baselines beside it.

    `split`: test or validation. `ranking`: "full" adds the full score of a model that has one. `baselines`: item-kNN and
    repeat purchases as well as popularity. `widths`: quality against numbers a vector (docs/metrics.md).
    """
    from ._objects import Metrics

    flags = _fill(_core.EvaluateFlags(), data=os.fspath(data), model=os.fspath(model), ranking=ranking, part=split,
                  widths=None if widths is None else list(widths), baselines=baselines)
    with shown(progress) as sink:
        facts, text = _core.evaluate(sources(settings, config, device, threads), flags, sink)
    return Metrics(json.loads(facts), text)


def embed(data: Path, model: Path, out: Optional[Path] = None, *, format: Union[str, Sequence[str], None] = None,
          type: Text = None, config: Optional[Path] = None, device: Text = None, threads: Optional[int] = None,
          progress: Any = True, **settings: Any) -> dict[str, Any]:
    """Writes the vectors of all items and users with their raw ids to `out` (X.embeddings).

    `format`: one or several of npy, parquet, arrow, safetensors, fbin, jsonl, csv, pgcopy, pgvector, or both (npy and parquet);
    docs/formats.md has what each holds. Returns a dict with out, num_items, num_users and dimension. Model.item_vectors has the
    same vectors in memory.
    """
    flags = _fill(_core.EmbedFlags(), data=os.fspath(data), model=os.fspath(model), out=_path(out), type=type,
                  formats=_names(format))
    with shown(progress) as sink:
        return json.loads(_core.embed(sources(settings, config, device, threads), flags, sink))


def delta(data: Path, model: Path, since: Path, out: Path, moved: float = 0, *, config: Optional[Path] = None, device: Text = None,
          threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Delta:
    """Writes what is new, moved or gone since the embeddings `since` (X.embeddings) to `out` (X.delta), and opens it.

    Rows are matched by raw id. `moved`: a row that moved by no more than this share of its length (0 to 2) stays as it was; 0: all
    that differ in a bit are written, and what `apply` or penchant.handoff then make of the old rows are the new ones.
    """
    from ._objects import Delta

    flags = _fill(_core.DeltaFlags(), data=os.fspath(data), model=os.fspath(model), since=os.fspath(since), out=os.fspath(out), moved=moved)
    with shown(progress) as sink:
        _core.delta(sources(settings, config, device, threads), flags, sink)
    return Delta(out)


def apply(old: Path, delta: Path, out: Path, *, progress: Any = True) -> dict[str, Any]:
    """Makes the new embeddings of the old ones and a delta, in the formats of the old ones, which `out` may replace.

    Returns a dict with out and what the manifest of the new ones says. Raises InputError where the delta is of other embeddings, or
    was applied already.
    """
    flags = _fill(_core.ApplyFlags(), old=os.fspath(old), delta=os.fspath(delta), out=os.fspath(out))
    with shown(progress) as sink:
        return json.loads(_core.apply(flags, sink))


def verify(data: Path, model: Path, path: Path, *, sample: Optional[int] = None, config: Optional[Path] = None,
           device: Text = None, threads: Optional[int] = None, progress: Any = True, **settings: Any) -> dict[str, Any]:
    """Compares vectors that were handed over with the model's: `path` is an X.embeddings, or a folder with items.* and users.* in
    these formats that somebody fetched back from a store.

    Rows are matched by raw id; the top 20 by inner product are compared for `sample` users (200). Returns what `embed --verify
    --json` prints. Raises InputError where they are not the model's vectors; its `report` is that dict.
    """
    flags = _fill(_core.VerifyFlags(), data=os.fspath(data), model=os.fspath(model), path=os.fspath(path), sample=sample)
    with shown(progress) as sink:
        facts, failure = _core.verify(sources(settings, config, device, threads), flags, sink)
    report = json.loads(facts)
    if failure:
        error = _core.InputError(failure)
        error.report = report
        raise error
    return report


def recommend(data: Path, model: Path, users: Any = None, k: int = 20, *, history: Optional[Sequence[Any]] = None,
              seen: Text = None, ranking: Text = None, only_items: Any = None, exclude: Any = None, where: Text = None,
              at_most: Any = None, unknown: Text = None, out: Optional[Path] = None, key: Optional[Path] = None,
              config: Optional[Path] = None, device: Text = None, threads: Optional[int] = None,
              progress: Any = True, **settings: Any) -> Union[pyarrow.Table, dict[str, Any]]:
    """The k best items for users, or for someone new by what they had.

    `users`: a raw id, a list of them, or None for all. `history`: instead, raw ids of items, oldest first. `seen`: mask, keep
    or auto, for items that a user has. Which items may be listed: `only_items` and `exclude` (lists of raw ids, or a file with
    one a line), `where` (such as 'category = "Dairy" and price < 5'), `at_most` (such as {"brand": 2}: so many of one value
    a list). `unknown`: error or skip, for ids in lists that the data set does not have. Returns a PyArrow table (user_id,
    item_id, score, rank), the users in their order, each once, best first; without user_id for a history. With `out`, a
    .parquet, .arrow, .csv or .jsonl file is written and a dict returned. `key`: the file with the key of a data set's
    pseudonyms, by which raw ids that are given become them. To ask a model more than once, open it: Model.recommend.
    """
    from ._objects import Model

    return Model(model, data, device=device, threads=threads).recommend(
        users, k, history=history, seen=seen, ranking=ranking, only_items=only_items, exclude=exclude, where=where,
        at_most=at_most, unknown=unknown, out=out, key=key, config=config, progress=progress, **settings)


def similar(data: Path, model: Path, items: Any = None, k: int = 20, *, only_items: Any = None, exclude: Any = None,
            where: Text = None, at_most: Any = None, unknown: Text = None, out: Optional[Path] = None,
            key: Optional[Path] = None, device: Text = None, threads: Optional[int] = None,
            progress: Any = True) -> Union[pyarrow.Table, dict[str, Any]]:
    """The k items nearest to items by cosine; filters, `out` and `key` as in recommend.

    `items`: a raw id, a list of them, or None for all. Returns a PyArrow table (target_item_id, item_id, score, rank); of one
    item without target_item_id.
    """
    from ._objects import Model

    return Model(model, data, device=device, threads=threads).similar(
        items, k, only_items=only_items, exclude=exclude, where=where, at_most=at_most, unknown=unknown, out=out,
        key=key, progress=progress)


def explain(data: Path, model: Path, user: Any = None, item: Any = None, *, history: Any = None, similar: Any = None,
            ranking: Text = None, top: int = 10, key: Optional[Path] = None, config: Optional[Path] = None, device: Text = None,
            threads: Optional[int] = None, progress: Any = True, **settings: Any) -> "Explanation":
    """Why `item` (a raw id) has the score that it has for a user, for a `history` of raw item ids, oldest first, or near the
    item `similar`.

    Returns an Explanation: a dict of what --json prints, shown as the text of the command line. Its "history" holds the `top`
    largest shares of what the user had, in units of the score; these, all of "parts" and "residual" add up to "score" where
    `top` leaves none out. `key` as in recommend. Raises InputError: unknown ids, not exactly one of user, history and similar, top below 1.
    """
    from ._objects import Model

    return Model(model, data, device=device, threads=threads).explain(
        user, item, history=history, similar=similar, ranking=ranking, top=top, key=key, config=config, progress=progress, **settings)


def score(data: Path, model: Path, pairs: Table, out: Optional[Path] = None, *, user_column: Text = None,
          item_column: Text = None, ranking: Text = None, unknown: Text = None, separator: Text = None, quote: Text = None,
          escape: Text = None, encoding: Text = None, config: Optional[Path] = None, device: Text = None,
          threads: Optional[int] = None, progress: Any = True, **settings: Any) -> Union[pyarrow.Table, dict[str, Any]]:
    """Scores the (user, item) pairs of a table.

    `pairs` is a path or a table in memory with raw ids. `unknown` says what becomes of ids that the data set does not have:
    error, skip (left out) or zero. With `out`, a .csv or .parquet file is written and a dict returned, else a PyArrow table:
    the rows of `pairs` and a column "score".
    """
    given = Given()
    names = given.take("pairs", pairs)
    flags = _fill(_core.ScoreFlags(), user_column=user_column, item_column=item_column, ranking=ranking, unknown=unknown,
                  separator=separator, quote=quote, escape=escape, encoding=encoding)
    if len(names) != 1:
        raise TypeError(f"pairs is {len(names)} tables, expected one")
    common = (sources(settings, config, device, threads), flags, os.fspath(data), os.fspath(model), names[0], given.frames)
    with shown(progress) as sink:
        if out is not None:
            return {"out": os.fspath(out), **json.loads(_core.score_to_file(*common, os.fspath(out), sink))}
        _, table = _core.score_in_memory(*common, sink)
    import pyarrow

    return pyarrow.table(table)


def audience(data: Path, model: Path, seed: Any = None, *, interest: Text = None, interest_items: Any = None,
             size: Optional[int] = None, share: Union[str, float, None] = None, keep_seed: bool = False, exclude: Any = None,
             user_table: Table = None, user_key: Text = None, where_users: Text = None, min_size: Optional[int] = None,
             unknown: Text = None, out: Optional[Path] = None, key: Optional[Path] = None, config: Optional[Path] = None,
             device: Text = None, threads: Optional[int] = None, progress: Any = True,
             **settings: Any) -> Union[pyarrow.Table, dict[str, Any]]:
    """The people for an advertisement: most like a seed, or likely to want some items next (docs/audience.md).

    Either `seed` (at least 20 raw user ids, or a file with one a line), `interest` (an expression over attributes of items,
    such as 'category = "Dairy"') or `interest_items` (raw item ids, or a file). `size` people, or a `share` ("5%" or 0.05) of
    those who may be in it. The seed, or those who had the items, are left out unless `keep_seed`; `exclude` are raw user ids
    or a file. `user_table` (a path or a table in memory) with its column `user_key` of user ids limits them by `where_users`,
    such as 'income = "50-74K"'. `key` as in recommend. None of fewer than `min_size` (20) is made. `unknown`: error or skip, for ids in lists.
    Returns a PyArrow table (user_id, rank, probability, lift), likeliest first, whose schema's metadata says "penchant.said":
    users considered, left out by reason, base rate, expected buyers, as JSON. With `out`, a file is written and that returned
    as a dict. Raises InputError.
    """
    given = Given()
    tables = given.take("user_table", user_table)
    if len(tables) > 1:
        raise TypeError(f"user_table is {len(tables)} tables, expected one")
    flags = _fill(_core.AudienceFlags(), data=os.fspath(data), model=os.fspath(model), interest=interest, size=size,
                  share=None if share is None else str(share), keep_seed=keep_seed, user_table=tables[0] if tables else None,
                  user_key=user_key, where_users=where_users, min_size=min_size, unknown=unknown, out=_path(out), key=_path(key))
    for value, of_file, in_memory in ((seed, "seed_file", "seed"), (interest_items, "interest_file", "interest_items"),
                                      (exclude, "exclude_file", "exclude")):
        if isinstance(value, (str, os.PathLike)):
            setattr(flags, of_file, os.fspath(value))
        elif value is not None:
            setattr(flags, in_memory, [str(one) for one in (value.to_pylist() if hasattr(value, "to_pylist") else value)])
    with shown(progress) as sink:
        said, table = _core.audience(sources(settings, config, device, threads), flags, given.frames, sink)
    if table is None:
        return json.loads(said)
    import pyarrow

    table = pyarrow.table(table)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), "penchant.said": said})
def tag(data: Path, model: Path, attribute: str, items: Any = None, out: Optional[Path] = None, *, threshold: Optional[float] = None,
        min_support: Optional[int] = None, suspicious: bool = False, all_items: bool = False, unknown: Text = None,
        seed: Optional[int] = None, config: Optional[Path] = None, device: Text = None, threads: Optional[int] = None,
        progress: Any = True, **settings: Any) -> Union[pyarrow.Table, dict[str, Any]]:
    """Tells the missing values of a categorical or list attribute of items, with probabilities in [0, 1]; docs/tags.md.

    `items`: a file with one raw id a line, a raw id, or a list of them, with a value or without; None: the items without one,
    or with `all_items` all. `threshold`: least probability of a value that is told (0.5; of a list what does best on items left
    out). `min_support`: values that fewer items have are never told (2). Returns a PyArrow table (item_id, value, probability,
    likeliest), a row an item, of a list attribute a row a value; an empty value means that it is not known. With `suspicious`,
    instead the values that items have and that look wrong, the most suspicious first (item_id, value, probability, likeliest,
    likeliest_probability). With `out`, a .parquet or .csv file is written and a dict returned: what `tag --json` prints. Raises
    InputError where nothing is missing or nothing can be learned.
    """
    from ._objects import _ids

    of_file = isinstance(items, os.PathLike) or (isinstance(items, str) and os.path.isfile(items))
    flags = _fill(_core.TagFlags(), attribute=attribute, out=_path(out), threshold=threshold, min_support=min_support,
                  suspicious=suspicious, all_items=all_items, unknown=unknown, seed=seed,
                  **({} if items is None else {"items_file": os.fspath(items)} if of_file else {"items": _ids(items)}))
    with shown(progress) as sink:
        facts, table = _core.tag(sources(settings, config, device, threads), flags, os.fspath(data), os.fspath(model), sink)
    if table is None:
        return json.loads(facts)
    import pyarrow

    return pyarrow.table(table)


def compress(data: Path, model: Path, out: Path, vectors: Text = None, *, network: Text = None, code_bytes: Optional[int] = None,
             seed: Optional[int] = None, config: Optional[Path] = None, device: Text = None, threads: Optional[int] = None,
             progress: Any = True, **settings: Any) -> dict[str, Any]:
    """Makes vectors smaller, or an interest model's network faster, and says what is lost on validation; docs/small_models.md.

    `vectors`: "int8", a byte a number, or "pq", product quantisation of items, 16 times smaller or `code_bytes` an item; written to
    the folder `out` with raw ids, as docs/formats.md has it. `network="int8"` instead writes a model to `out` whose rnn or lstm
    computes by products of 8 bits. `seed`: where the k-means of pq starts (42). Returns what `compress --json` prints: bytes before
    and after, and of the validation part recall, ndcg and the share `lost`. Raises InputError for a model without vectors, or
    without such a network, and for too few items.
    """
    flags = _fill(_core.CompressFlags(), data=os.fspath(data), model=os.fspath(model), out=os.fspath(out), vectors=vectors or "",
                  network=network or "", code_bytes=code_bytes, seed=seed)
    with shown(progress) as sink:
        return json.loads(_core.compress(sources(settings, config, device, threads), flags, sink))


def report(model: Path, out: Optional[Path] = None, *, data: Optional[Path] = None, users: Optional[int] = None,
           map_items: Optional[int] = None, config: Optional[Path] = None, device: Text = None,
           threads: Optional[int] = None, progress: Any = True, **settings: Any) -> str:
    """Writes one HTML page about a model and its data, and returns its path (X.html beside the model)."""
    flags = _fill(_core.ReportFlags(), model=os.fspath(model), data=_path(data), out=_path(out), users=users, map_items=map_items)
    share = os.path.join(os.path.dirname(__file__), "share")
    mine = "PENCHANT_SHARE" not in os.environ and os.path.isdir(share)
    if mine:
        os.environ["PENCHANT_SHARE"] = share
    try:
        with shown(progress) as sink:
            return _core.report(sources(settings, config, device, threads), flags, sink)
    finally:
        if mine:
            del os.environ["PENCHANT_SHARE"]


def info(*, config: Optional[Path] = None, device: Text = None, threads: Optional[int] = None, progress: Any = True,
         **settings: Any) -> dict:
    """What `penchant info --json` says of the package: versions, the `device` that is used, under `cuda` why a GPU is or is
    not used, and the `gpus` (a list, empty without a CUDA module or a device). DeviceError where `device` cannot be used.

    >>> penchant.info(device="cpu", progress=False)["device"].startswith("CPU")
    True
    """
    with shown(progress) as sink:
        return json.loads(_core.info(sources(settings, config, device, threads), sink))
