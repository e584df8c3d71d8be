# SPDX-License-Identifier: Apache-2.0
"""Data sets, models and metrics as objects. They are paths too: every function takes a Dataset for X.data, a Model for X.model."""
import html
import json
import os

from . import _calls, _core
from ._progress import shown
from ._settings import sources


def _table_html(title, rows):
    cells = "".join(f"<tr><th style='text-align:left'>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
                    for name, value in rows)
    return f"<table><caption>{html.escape(title)}</caption>{cells}</table>"


class _Artefact:
    _kind = ""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.manifest = json.loads(_core.manifest(self.path, self._kind))

    def __fspath__(self):
        return self.path

    def __repr__(self):
        facts = ", ".join(f"{name}={value}" for name, value in self._facts())
        return f"{type(self).__name__}({self.path!r}: {facts})"

    def _repr_html_(self):
        return _table_html(self.path, self._facts())


class Dataset(_Artefact):
    """X.data, opened by its path.

    Attributes: path, manifest (a dict), num_users, num_items, num_train, num_validation, num_test, report (what ingest said,
    where it made this one). Raises InputError where there is no whole data set.

    >>> penchant.Dataset("nowhere.data")
    Traceback (most recent call last):
        ...
    penchant.InputError: nowhere.data: no such directory, expected a data
    """

    _kind = "data"

    def __init__(self, path, *, report=None):
        super().__init__(path)
        self.report = report

    num_users = property(lambda self: self.manifest["num_users"])
    num_items = property(lambda self: self.manifest["num_items"], doc="Of the catalogue, also those without interactions.")
    num_train = property(lambda self: self.manifest["num_train"])
    num_validation = property(lambda self: self.manifest["num_validation"])
    num_test = property(lambda self: self.manifest["num_test"])

    def _ids(self, name):
        import pyarrow.parquet

        return pyarrow.parquet.read_table(os.path.join(self.path, name), columns=["raw_id"])["raw_id"].combine_chunks()

    @property
    def user_ids(self):
        """Raw ids of all users, [U] strings of PyArrow, in the order of a model's user_vectors."""
        return self._ids("users.parquet")

    @property
    def item_ids(self):
        """Raw ids of all items, [I] strings of PyArrow, in the order of a model's item_vectors."""
        return self._ids("items.parquet")

    def append(self, log=None, *, events=None, item_table=None, vectors=None, out=None, strict=False, key=None, same_user=None, threads=None, progress=True):
        """As penchant.append. Without `out` this data set itself grows, and is returned."""
        grown = _calls.append(self, log, events=events, item_table=item_table, vectors=vectors, out=out, strict=strict, key=key,
                              same_user=same_user, threads=threads, progress=progress)
        if out is not None:
            return grown
        self.manifest, self.report = grown.manifest, grown.report
        return self

    def forget(self, users=None, items=None, *, out=None, key=None, threads=None, progress=True):
        """As penchant.forget. Without `out` this data set itself loses them, and is returned."""
        rest = _calls.forget(self, users, items, out=out, key=key, threads=threads, progress=progress)
        if out is not None:
            return rest
        self.manifest, self.report = rest.manifest, rest.report
        return self

    def _facts(self):
        return [("users", self.num_users), ("items", self.num_items),
                ("train / validation / test", f"{self.num_train} / {self.num_validation} / {self.num_test}")]


class Model(_Artefact):
    """X.model beside the data set that it was trained on, opened by their paths; without `data`, the one beside it.

    Attributes: path, data, manifest (a dict), training (what train said, where it made this one). Vectors and lists are read
    when they are first asked for.
    """

    _kind = "model"

    def __init__(self, path, data=None, *, device=None, threads=None, training=None):
        super().__init__(path)
        self.data = os.fspath(data) if data is not None else _core.find_data_of(self.path)
        self.training = training
        self._device, self._threads, self._opened = device, threads, None

    @property
    def _core(self):
        if self._opened is None:
            self._opened = _core.Model(sources({}, None, self._device, self._threads), self.data, self.path)
        return self._opened

    num_users = property(lambda self: self._core.num_users)
    num_items = property(lambda self: self._core.num_items)

    @property
    def item_vectors(self):
        """[I x D] float32, read-only: the vectors that embed writes, in the order of item_ids. Nothing is copied: they lie in
        the model's file, which is mapped. Raises InputError for a model without vectors."""
        return self._core.item_vectors()

    @property
    def user_vectors(self):
        """[U x D] float32, read-only, in the order of user_ids; as item_vectors."""
        return self._core.user_vectors()

    @property
    def item_ids(self):
        """Raw ids of all items, [I] strings of PyArrow."""
        return self._column(self._core.item_ids())

    @property
    def user_ids(self):
        """Raw ids of all users, [U] strings of PyArrow."""
        return self._column(self._core.user_ids())

    @staticmethod
    def _column(table):
        import pyarrow

        return pyarrow.table(table)["id"].combine_chunks()

    def recommend(self, users=None, k=20, *, history=None, seen=None, ranking=None, only_items=None, exclude=None, where=None,
                  at_most=None, unknown=None, out=None, key=None, config=None, progress=True, **settings):
        """As penchant.recommend."""
        import pyarrow

        flags = _list_flags(k, only_items, exclude, where, at_most, unknown, out, key)
        flags.seen, flags.ranking = seen or "", ranking or ""
        given = sources(settings, config, None, None)
        with shown(progress) as sink:
            if history is None:
                return _lists(*self._core.recommend(None if users is None else _ids(users), flags, given, sink))
            if users is not None:
                raise _core.InputError("recommend: expected either --user or --history")
            if out is not None:
                raise _core.InputError("recommend: out is for users, not for a history")
            table = pyarrow.table(self._core.recommend_for_history(_ids(history), flags, given, sink))
            return table.drop_columns("user_id").replace_schema_metadata()

    def similar(self, items=None, k=20, *, only_items=None, exclude=None, where=None, at_most=None, unknown=None, out=None,
                key=None, progress=True):
        """As penchant.similar."""
        flags = _list_flags(k, only_items, exclude, where, at_most, unknown, out, key)
        single = items is not None and (isinstance(items, str) or not hasattr(_plain(items), "__iter__"))
        with shown(progress) as sink:
            table = _lists(*self._core.similar(None if items is None else _ids(items), flags, sink))
        return table.drop_columns("target_item_id") if single and out is None else table

    def similar_users(self, users=None, k=20, *, unknown=None, out=None, key=None, progress=True):
        """The k users nearest to users by the cosine of their vectors.

        `users`: a raw id, a list of them, or None for all. Returns a PyArrow table (target_user_id, user_id, score, rank); of
        one user without target_user_id. `unknown`, `out` and `key` as in penchant.recommend.
        """
        flags = _list_flags(k, None, None, None, None, unknown, out, key)
        single = users is not None and (isinstance(users, str) or not hasattr(_plain(users), "__iter__"))
        with shown(progress) as sink:
            table = _lists(*self._core.similar_users(None if users is None else _ids(users), flags, sink))
        return table.drop_columns("target_user_id") if single and out is None else table

    def audience(self, seed=None, **options):
        """As penchant.audience."""
        return _calls.audience(self.data, self, seed, **self._with_device(options))

    def explain(self, user=None, item=None, *, history=None, similar=None, ranking=None, top=10, key=None, config=None,
                progress=True, **settings):
        """As penchant.explain. The first call of a model reads what it takes, such as weights and graphs; later ones use it."""
        flags = _core.ExplainFlags()
        flags.user, flags.item, flags.similar = ("" if one is None else str(one) for one in (user, item, similar))
        flags.ranking, flags.top, flags.by_history = ranking or "", top, history is not None
        flags.history = [] if history is None else _ids(history)
        flags.key = os.fspath(key) if key is not None else ""
        with shown(progress) as sink:
            answer, text = self._core.explain(flags, sources(settings, config, None, None), sink)
        return Explanation(json.loads(answer), text)

    def score(self, pairs, out=None, **options):
        """As penchant.score."""
        return _calls.score(self.data, self, pairs, out, **self._with_device(options))

    def tag(self, attribute, items=None, out=None, **options):
        """As penchant.tag."""
        return _calls.tag(self.data, self, attribute, items, out, **self._with_device(options))

    def compress(self, out, vectors=None, **options):
        """As penchant.compress."""
        return _calls.compress(self.data, self, out, vectors, **self._with_device(options))

    def evaluate(self, **options):
        """As penchant.evaluate."""
        return _calls.evaluate(self.data, self, **self._with_device(options))

    def embed(self, out=None, **options):
        """As penchant.embed."""
        return _calls.embed(self.data, self, out, **self._with_device(options))

    def update(self, log=None, **options):
        """As penchant.update, of this model and its data set. Returns the updated model, by the same path."""
        return _calls.update(self.data, self, log, **self._with_device(options))

    def delta(self, since, out, moved=0, **options):
        """As penchant.delta: what is new, moved or gone since the embeddings `since`. Returns a Delta."""
        return _calls.delta(self.data, self, since, out, moved, **self._with_device(options))

    def verify(self, path, **options):
        """As penchant.verify."""
        return _calls.verify(self.data, self, path, **self._with_device(options))

    def report(self, out=None, **options):
        """As penchant.report."""
        return _calls.report(self, out, data=self.data, **self._with_device(options))

    def _with_device(self, options):
        return {"device": self._device, "threads": self._threads, **options}

    def item_rows(self, ids, padding=False):
        """The rows of one raw id or of some in item_vectors and in to_torch() and to_keras(), [N] int64 (NumPy).

        An id that the model does not know is an InputError. With padding=True, for layers made with it, item i is row i + 1
        and an unknown id row 0.

        >>> penchant.Model(tmp / "tiny.model").item_rows(["z", "x"])  # doctest: +SKIP
        array([2, 0])
        """
        import numpy
        import pyarrow
        import pyarrow.compute

        ids = _ids(ids)
        rows = pyarrow.compute.index_in(pyarrow.array(ids, pyarrow.string()), value_set=self.item_ids)
        if not padding and rows.null_count:
            unknown = rows.to_pylist().index(None)
            raise _core.InputError(f"item_rows: item {ids[unknown]!r}, element {unknown}, is not in the data set; padding=True makes it row 0")
        return rows.fill_null(-1).to_numpy(zero_copy_only=False).astype(numpy.int64) + padding

    def to_torch(self, freeze=True, padding=False):
        """The item table as torch.nn.Embedding of [I x D]: row i is the item item_ids[i], item_rows finds it. A copy, which can
        be trained on with freeze=False.

        padding=True puts a row of zeros before them, [(I + 1) x D], for padded sequences and unknown ids: it is the layer's
        padding_idx, which has no gradient.
        """
        import torch

        return torch.nn.Embedding.from_pretrained(torch.from_numpy(self._table(padding)), freeze=freeze,
                                                  padding_idx=0 if padding else None)

    def to_keras(self, trainable=False, padding=False):
        """The item table as keras.layers.Embedding of [I x D]; as to_torch. With padding=True it has mask_zero=True: layers that
        take masks leave row 0 out. Its numbers are those of keras.layers.StringLookup(vocabulary=item_ids.to_pylist())."""
        import keras

        vectors = self._table(padding)
        layer = keras.layers.Embedding(*vectors.shape, mask_zero=padding, trainable=trainable)
        layer.build()
        layer.set_weights([vectors])
        return layer

    def _table(self, padding):
        """A copy of item_vectors, behind a row of zeros."""
        import numpy

        vectors = self.item_vectors
        table = numpy.zeros((len(vectors) + padding, vectors.shape[1]), numpy.float32)
        table[int(padding):] = vectors
        return table

    def _facts(self):
        facts = [("kind", self.manifest.get("model", {}).get("kind", "")), ("data", self.data)]
        if self.manifest.get("layout"):
            facts.append(("dimension", self.manifest["layout"].get("width")))
        if self.manifest.get("best_validation") is not None:
            facts.append((f"validation {self.manifest.get('validation_metric', '')}", f"{self.manifest['best_validation']:.4f}"))
        return facts


class Delta(_Artefact):
    """X.delta, opened by its path: what is new, moved or gone since some embeddings (penchant.delta).

    Attributes: path, manifest (a dict), items and users (counts: before, rows, new, moved, kept, same, removed), moved (the share of
    its length that a row must have moved by more than), since (which embeddings: manifest_hash, model_hash, data_hash).
    """

    _kind = "delta"
    COUNTS = ("before", "rows", "new", "moved", "kept", "same", "removed")

    moved = property(lambda self: self.manifest["moved"]["more_than"])
    since = property(lambda self: self.manifest["since"])
    items = property(lambda self: self._counts("items"))
    users = property(lambda self: self._counts("users"))

    def _counts(self, entity):
        return {name: self.manifest["entities"][entity][name] for name in self.COUNTS}

    def changed(self, entity="items"):
        """A PyArrow table raw_id, vector of the rows that are new or moved."""
        return self._table(f"{entity}.changed.parquet")

    def kept(self, entity="items"):
        """The same of some rows that stay as they are, by which a store is recognised."""
        return self._table(f"{entity}.kept.parquet")

    def removed(self, entity="items"):
        """Raw ids that are gone, strings of PyArrow."""
        import pyarrow

        with open(os.path.join(self.path, f"{entity}.removed.jsonl"), encoding="utf-8") as lines:
            return pyarrow.array([json.loads(line) for line in lines], pyarrow.string())

    def movement(self, entity="items"):
        """A PyArrow table of how far the rows in both moved: a column quantile, and of cosine, distance and share its values."""
        import pyarrow

        movement = self.manifest["entities"][entity]["movement"]
        names = ["least", "0.01", "0.1", "median", "0.9", "0.99", "largest"]
        return pyarrow.table({"quantile": names, **{of: [movement[of][name] for name in names] for of in ("cosine", "distance", "share")}})

    def check(self):
        """Raises InputError that names a file whose hash is not the manifest's."""
        _core.check_files(self.path, self._kind)

    def _table(self, name):
        import pyarrow.parquet

        return pyarrow.parquet.read_table(os.path.join(self.path, name))

    def _facts(self):
        said = [("since", self.since["path"]), ("moved", f"by more than {self.moved}" if self.moved else "a bit differs")]
        for entity in ("items", "users"):
            said.append((entity, ", ".join(f"{count} {name}" for name, count in self._counts(entity).items() if name != "before")))
        return said


def _ids(values):
    """Raw ids of one, or of some."""
    values = _plain(values)
    return [values] if isinstance(values, str) else [str(value) for value in (values if hasattr(values, "__iter__") else [values])]


def _list_flags(k, only_items, exclude, where, at_most, unknown, out, key):
    flags = _core.ListFlags()
    flags.k = k
    for value, of_file, in_memory in ((only_items, "only_items", "only_ids"), (exclude, "exclude", "exclude_ids")):
        if isinstance(value, (str, os.PathLike)):
            setattr(flags, of_file, os.fspath(value))
        elif value is not None:
            setattr(flags, in_memory, _ids(value))
    flags.where = where or ""
    if isinstance(at_most, dict):
        at_most = [f"{attribute}={most}" for attribute, most in at_most.items()]
    flags.at_most = [at_most] if isinstance(at_most, str) else list(at_most or [])
    flags.unknown = unknown or "error"
    flags.out = os.fspath(out) if out is not None else ""
    flags.key = os.fspath(key) if key is not None else ""
    return flags


def _lists(facts, table):
    """The table, or what was said of the file."""
    import pyarrow

    return json.loads(facts) if table is None else pyarrow.table(table)


def _plain(values):
    """Python's values of an array of NumPy or PyArrow."""
    for method in ("to_pylist", "tolist"):
        if hasattr(values, method):
            return getattr(values, method)()
    return values


class Explanation(dict):
    """What `explain --json` prints; str() is the text of the command line, and `sentence` the reason in words."""

    def __init__(self, facts, text):
        super().__init__(facts)
        self._text = text

    sentence = property(lambda self: self["sentence"])

    def __str__(self):
        return self._text


class Metrics(dict):
    """{metric: value} by the model's vectors (where it has none by its full score), such as {"ndcg@20": 0.083}.

    Attributes: full (the same by the full score, where it was asked for), baselines ({"popularity": {...}}), facts (all
    that `evaluate --json` prints), and str() the table that the command line prints.
    """

    def __init__(self, facts, text):
        super().__init__(facts.get("metrics") or facts.get("full") or {})
        self.facts = facts
        self.full = facts.get("full", {})
        self.baselines = {name.removesuffix("_metrics"): values for name, values in facts.items() if name.endswith("_metrics")}
        self._text = text

    def __str__(self):
        return self._text

    def to_table(self):
        """A PyArrow table with a row a metric: metric, model, full where there is one, and the baselines."""
        import pyarrow

        columns = {"metric": list(self), "model": list(self.values())}
        if self.full and dict(self) != self.full:
            columns["full"] = [self.full.get(name) for name in self]
        columns |= {name: [values.get(metric) for metric in self] for name, values in self.baselines.items()}
        return pyarrow.table(columns)

    def _repr_html_(self):
        columns = self.to_table().to_pydict()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        rows = "".join("<tr>" + "".join(f"<td>{cell if isinstance(cell, str) else '' if cell is None else f'{cell:.4f}'}</td>"
                                        for cell in row) + "</tr>" for row in zip(*columns.values()))
        return f"<table><tr>{head}</tr>{rows}</table>"
