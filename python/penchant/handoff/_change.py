# SPDX-License-Identifier: Apache-2.0
"""What a delta (X.delta) makes of a store: rows to insert or replace, ids to delete, and how to tell that the store is at the embeddings
that the delta was made since, or somewhere on the way from there."""
import dataclasses
import os

import numpy

from . import _given, _result, _written
from .. import _core
from .._objects import Delta


@dataclasses.dataclass
class Applied:
    """store: name and version of the library. target: path, collection or table. written: rows that were inserted or replaced.
    removed: rows that were deleted. rows: how many are there now. note: what else to know."""

    store: str
    target: str
    entity: str
    written: int
    removed: int
    rows: int
    note: str = ""

    def __str__(self):
        note = f"; {self.note}" if self.note else ""
        return f"{self.store}: {self.target}: {self.written} written, {self.removed} removed, {self.rows} rows{note}"


class Change:
    """Of one entity. changed: a Given of the rows that are new or moved, None without any. kept: the same of some that stay. removed:
    raw ids. before, rows: how many rows the store has and will have. steady: how many of them stay as they are."""

    def __init__(self, delta, entity="items", score="inner product"):
        if entity not in _given.ENTITIES:
            raise _core.InputError(f"entity is {entity!r}, expected items or users")
        if score not in _given.SCORES:
            raise _core.InputError(f"score is {score!r}, expected 'inner product' or 'cosine'")
        if not isinstance(delta, (str, os.PathLike)):
            raise TypeError(f"a {type(delta).__name__} was given, expected a penchant.Delta or the path of X.delta")
        self.delta = delta if isinstance(delta, Delta) else Delta(delta)
        self.delta.check()
        self.entity, self.score = entity, score
        counts = self.delta.items if entity == "items" else self.delta.users
        self.before, self.rows, self.moved = counts["before"], counts["rows"], counts["moved"]
        self.steady = counts["same"] + counts["kept"]
        self.changed = self._given(self.delta.changed(entity))
        self.kept = self._given(self.delta.kept(entity))
        self.removed = self.delta.removed(entity).to_pylist()
        self.columns = self.delta.manifest["embeddings"]["dimension"]

    @property
    def ids(self):
        """Of the rows to write."""
        return self.changed.ids if self.changed else []

    @property
    def dimension(self):
        """Columns of the rows, before a store's own."""
        rows = self.changed or self.kept
        return rows.vectors.shape[1] if rows else self.columns

    def _given(self, table):
        if not table.num_rows:
            return None
        said = self.delta.manifest["embeddings"]
        vectors = table["vector"].combine_chunks()
        vectors = vectors.values.to_numpy(zero_copy_only=False).reshape(table.num_rows, said["dimension"])
        proper = said["dimension"] - said["new_item_columns"] - bool(said["popularity_column"])
        return _given.checked(self.entity, self.score, table["raw_id"].to_pylist(), vectors, proper)

    def written(self, rows, **how):
        """A Written of changed or kept, None where there are no rows."""
        return None if rows is None else _written.Written(rows, **how)

    def require_base(self, store, target, *, count, changed_there, removed_there):
        """count: rows of the store. changed_there, removed_there: how many of the ids to write and to delete it has. What an earlier
        call left half-way is taken as well."""
        steady = count - changed_there - removed_there
        if steady != self.steady or changed_there < self.moved:
            raise _core.InputError(f"{store}: {target} is not at the {self.entity} that {self.delta.path} was made since: it has {count} rows, "
                                   f"{steady} of which the delta leaves as they are, expected {self.before} and {self.steady}")

    def require_kept(self, store, target, found, **how):
        """found: {raw id: row} of kept.ids as the store has them, of which the columns of the model are compared."""
        if self.kept is None:
            return
        block = self.written(self.kept, **how).block(0, len(self.kept.ids))
        elsewhere = f"{store}: {target} is not at the {self.entity} that {self.delta.path} was made since"
        for text, mine in zip(self.kept.ids, block):
            row = found.get(text)
            if row is None:
                raise _core.InputError(f"{elsewhere}: it lacks '{text}'")
            row = numpy.asarray(row)
            if row.shape != mine.shape:
                raise _core.InputError(f"{store}: {target} has rows of {row.size} columns, and those of {self.delta.path} have "
                                       f"{mine.size} there; hand all rows off anew")
            # Unit vectors may differ in the last bit, as the row's neighbours in a block decide how they are added up.
            tolerance = 0 if self.score != "cosine" and "most" not in how else 1e-3 if block.dtype == numpy.float16 else 1e-5
            columns = slice(0, self.kept.vectors.shape[1])
            if not numpy.allclose(row[columns].astype(float), mine[columns].astype(float), rtol=tolerance, atol=tolerance):
                raise _core.InputError(f"{elsewhere}: it has another row for '{text}', which the delta leaves as it is")

    def require_rows(self, count):
        if count != self.rows:
            raise RuntimeError(f"{count} rows are there of {self.rows}")

    def applied(self, store, target, removed, note=""):
        return Applied(store, str(target), self.entity, len(self.ids), removed, self.rows, note)


def of_file(delta, path):
    """The Change for an index that a function of penchant.handoff wrote at `path`, what stands beside it, and the raw id of each row
    number, None where its row was removed."""
    made = _result.load(path)
    change = Change(delta, made.entity, made.score)
    return change, made, _given.read_ids(f"{os.fspath(path)}.ids.jsonl")


def said(made, change, vectors):
    """The Handoff beside a file that a delta changed; vectors: its rows as they are now."""
    return dataclasses.replace(made, rows=change.rows, zero_rows=int((~numpy.asarray(vectors)[:, :made.dimension].any(axis=1)).sum()))


def pieces(values, size=1000):
    for start in range(0, len(values), size):
        yield values[start:start + size]
