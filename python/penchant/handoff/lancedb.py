# SPDX-License-Identifier: Apache-2.0
"""LanceDB: a table raw_id, vector. Its searches are by L2 unless told: each one must say "dot"."""
import os

from . import _change, _given, _result, _target, _written
from .. import _core


def to_lancedb(source, database, table=None, *, entity="items", score="inner product", dtype="float32", index=None, probes=None,
               overwrite=False):
    """Writes a table of `database`, a connection or its path: raw_id (string) and vector (fixed-size list of dtype).

    source, entity, score: as in to_faiss. table: its name, without one the entity. dtype: float32 or float16.
    index: None searches all rows, exactly; "ivfpq" makes an index of codes, of at least 256 rows, which the query refines by the rows themselves. The
    width is padded to a multiple of 8, of which such an index makes its codes.

    The table appears whole or not at all. Returns a Handoff. Raises InputError where it is there, unless overwrite=True.
    """
    if dtype not in ("float32", "float16") or index not in (None, "ivfpq"):
        raise _core.InputError(f"dtype is {dtype!r} and index {index!r}, expected float32 or float16, and None or 'ivfpq'")
    lancedb = _target.library("lancedb", "lancedb")
    _target.library("lancedb.index", "lancedb")
    import pyarrow

    given = _given.take(source, entity, score)
    written = _written.Written(given, multiple=8, dtype=dtype)
    if index and len(written) < 256:
        raise _core.InputError(f"LanceDB: an index learns its codes from 256 rows or more, there are {len(written)}; leave index out")
    of_path = isinstance(database, (str, os.PathLike))
    connection = lancedb.connect(os.fspath(database)) if of_path else database
    name = table or entity
    before = _version(connection, name)
    if before is not None and not overwrite:
        _target.refuse(f"LanceDB's table {name}")

    schema = pyarrow.schema([("raw_id", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.from_numpy_dtype(dtype), written.width))])

    def batches():
        for _, ids, block in written.blocks():
            vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(block.ravel()), written.width)
            yield pyarrow.record_batch([pyarrow.array(ids, pyarrow.string()), vectors], schema=schema)

    def undo():
        if before is None:
            connection.drop_table(name, ignore_missing=True)
        elif connection.open_table(name).version != before:
            connection.open_table(name).restore(before)

    with _target.failing("LanceDB", f"table {name}", undo):
        made = connection.create_table(name, data=pyarrow.RecordBatchReader.from_batches(schema, batches()),
                                       mode="create" if before is None else "overwrite")
        more, note = "", "no index: exact"
        if index:
            partitions = max(1, min(int(len(written) ** 0.5), len(written) // 256))
            probes = probes or max(min(partitions, 8), partitions // 4)
            made.create_index("vector", config=lancedb.index.IvfPq(distance_type="dot", num_partitions=partitions,
                                                                   num_sub_vectors=written.width // 4))
            more = f".nprobes({probes}).refine_factor(10)"
            note = f"nprobes {probes} of {partitions} partitions, refine_factor 10; more is more exact"
        if made.count_rows() != len(written):
            raise RuntimeError(f"{made.count_rows()} rows are there of {len(written)}")
    query = (f"table = lancedb.connect({os.fspath(database) if of_path else '...'!r}).open_table({name!r})\n"
             f"table.search(handoff.queries(user_vector)[0]).distance_type('dot'){more}.limit(k).to_list()"
             "    # distance = 1 - inner product")
    return _result.describe(written, f"LanceDB {lancedb.__version__}", name, "dot", "column raw_id", query, note)


def _version(connection, name):
    """Of the table as it stands, None where there is none. (What is left of one whose rows failed to come is listed, and cannot be
    opened: lancedb 0.40.)"""
    try:
        return connection.open_table(name).version
    except ValueError as error:
        if "was not found" in str(error):
            return None
        raise


def apply_to_lancedb(delta, database, table=None, *, entity="items", score="inner product"):
    """Brings a table that to_lancedb wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_lancedb.

    A failure restores the version that was there. Rows that an index does not have yet are searched beside it; `table.optimize()`
    takes them in. Returns an Applied. Raises InputError where the table is not at the rows that the delta was made since.
    """
    lancedb = _target.library("lancedb", "lancedb")
    import pyarrow

    change = _change.Change(delta, entity, score)
    connection = lancedb.connect(os.fspath(database)) if isinstance(database, (str, os.PathLike)) else database
    name = table or entity
    before = _version(connection, name)
    if before is None:
        _target.missing(f"LanceDB's table {name}")
    there = connection.open_table(name)
    kind = there.schema.field("vector").type
    how = {"multiple": 8, "dtype": kind.value_type.to_pandas_dtype().__name__}

    def clauses(ids):
        """Of an id with a line break and the like too: a quote is all that is escaped."""
        for some in _change.pieces(ids):
            yield "raw_id IN (" + ", ".join("'" + text.replace("'", "''") + "'" for text in some) + ")"

    def undo():
        if connection.open_table(name).version != before:
            connection.open_table(name).restore(before)

    with _target.failing("LanceDB", f"table {name}", undo):
        removed = sum(there.count_rows(clause) for clause in clauses(change.removed))
        change.require_base("LanceDB", f"table {name}", count=there.count_rows(), removed_there=removed,
                            changed_there=sum(there.count_rows(clause) for clause in clauses(change.ids)))
        found = {}
        for clause in clauses(change.kept.ids if change.kept else []):
            rows = there.search().where(clause).limit(len(change.kept.ids)).to_arrow()
            vectors = rows["vector"].combine_chunks().values.to_numpy(zero_copy_only=False).reshape(-1, kind.list_size)
            found.update(zip(rows["raw_id"].to_pylist(), vectors))
        change.require_kept("LanceDB", f"table {name}", found, **how)
        for clause in clauses(change.removed):
            there.delete(clause)
        for _, ids, block in change.written(change.changed, **how).blocks() if change.changed else ():
            vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(block.ravel()), block.shape[1])
            rows = pyarrow.table([pyarrow.array(ids, pyarrow.string()), vectors], schema=there.schema)
            there.merge_insert("raw_id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        change.require_rows(there.count_rows())
    return change.applied(f"LanceDB {lancedb.__version__}", name, removed)
