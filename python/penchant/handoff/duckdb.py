# SPDX-License-Identifier: Apache-2.0
"""DuckDB: a table raw_id, vector of FLOAT[width], searched by array_inner_product."""
import contextlib
import os

import numpy

from . import _change, _given, _result, _target, _written


def to_duckdb(source, database, table=None, *, entity="items", score="inner product", overwrite=False):
    """Writes a table raw_id (VARCHAR, the key), vector (FLOAT[width]) of `database`, a path or a connection. Searches are exact.

    source, entity, score: as in to_faiss. table: its name, without one the entity. DuckDB has no 16-bit float.

    All is one transaction of its own. Returns a Handoff. Raises InputError where the table is there, unless overwrite=True.
    """
    duckdb = _target.library("duckdb", "duckdb")
    import pyarrow

    given = _given.take(source, entity, score)
    written = _written.Written(given)
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    of_path = isinstance(database, (str, os.PathLike))
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(contextlib.closing(duckdb.connect(os.fspath(database)))) if of_path else database
        connection = stack.enter_context(contextlib.closing(root.cursor()))
        there = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = ? AND schema_name = current_schema() "
                                   "AND database_name = current_database()", [name]).fetchall()[0][0]
        if there and not overwrite:
            _target.refuse(f"DuckDB's table {name}")
        connection.execute("BEGIN")
        with _target.failing("DuckDB", f"table {name}", lambda: connection.execute("ROLLBACK")):
            connection.execute(f"CREATE OR REPLACE TABLE {quoted} (raw_id VARCHAR PRIMARY KEY, vector FLOAT[{written.width}])")
            for _, ids, block in written.blocks():
                vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(block.ravel()), written.width)
                connection.register("penchant_rows", pyarrow.table({"raw_id": pyarrow.array(ids, pyarrow.string()), "vector": vectors}))
                connection.execute(f"INSERT INTO {quoted} SELECT raw_id, vector::FLOAT[{written.width}] FROM penchant_rows")
                connection.unregister("penchant_rows")
            connection.execute("COMMIT")
    query = (f"connection.execute('SELECT raw_id FROM {quoted} ORDER BY array_inner_product(vector, ?::FLOAT[{written.width}]) DESC LIMIT 20',\n"
             "    [handoff.queries(user_vector)[0]])")
    return _result.describe(written, f"DuckDB {duckdb.__version__}", name, "array_inner_product", "column raw_id", query,
                            "exact; of cosine functions a vector of zeros has NaN, which DuckDB sorts first under DESC")


def apply_to_duckdb(delta, database, table=None, *, entity="items", score="inner product"):
    """Brings a table that to_duckdb wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_duckdb.

    All is one transaction. Returns an Applied. Raises InputError where the table is not at the rows that the delta was made since.
    """
    duckdb = _target.library("duckdb", "duckdb")
    import pyarrow

    change = _change.Change(delta, entity, score)
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    of_path = isinstance(database, (str, os.PathLike))
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(contextlib.closing(duckdb.connect(os.fspath(database)))) if of_path else database
        connection = stack.enter_context(contextlib.closing(root.cursor()))

        def one(text, *values):
            return connection.execute(text, list(values)).fetchall()[0][0]

        if not one("SELECT count(*) FROM duckdb_tables() WHERE table_name = ? AND schema_name = current_schema() "
                   "AND database_name = current_database()", name):
            _target.missing(f"DuckDB's table {name}")
        connection.execute("BEGIN")
        with _target.failing("DuckDB", f"table {name}", lambda: connection.execute("ROLLBACK")):
            for view, ids in (("penchant_changed", change.ids), ("penchant_removed", change.removed)):
                connection.register(view, pyarrow.table({"raw_id": pyarrow.array(ids, pyarrow.string())}))
            there = f"SELECT count(*) FROM {quoted} SEMI JOIN"
            removed = one(f"{there} penchant_removed USING (raw_id)")
            change.require_base("DuckDB", f"table {name}", count=one(f"SELECT count(*) FROM {quoted}"), removed_there=removed,
                                changed_there=one(f"{there} penchant_changed USING (raw_id)"))
            if change.kept:
                found = connection.execute(f"SELECT raw_id, vector FROM {quoted} WHERE raw_id IN (SELECT unnest(?::VARCHAR[]))",
                                           [change.kept.ids]).fetchall()
                change.require_kept("DuckDB", f"table {name}", {text: numpy.array(row, numpy.float32) for text, row in found})
            connection.execute(f"DELETE FROM {quoted} WHERE raw_id IN (SELECT raw_id FROM penchant_removed)")
            for _, ids, block in change.written(change.changed).blocks() if change.changed else ():
                vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(block.ravel()), block.shape[1])
                connection.register("penchant_rows", pyarrow.table({"raw_id": pyarrow.array(ids, pyarrow.string()), "vector": vectors}))
                connection.execute(f"INSERT OR REPLACE INTO {quoted} SELECT raw_id, vector::FLOAT[{block.shape[1]}] FROM penchant_rows")
                connection.unregister("penchant_rows")
            change.require_rows(one(f"SELECT count(*) FROM {quoted}"))
            connection.execute("COMMIT")
    return change.applied(f"DuckDB {duckdb.__version__}", name, removed)
