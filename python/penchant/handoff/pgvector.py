# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL with pgvector: a table raw_id, vector, by inner product."""
import contextlib
import json

import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

LONGEST_ID = 2600  # of a key in an index page: 2,704 bytes with what stands around it
WIDEST = {"float32": (16000, 2000), "float16": (16000, 4000)}  # of a column; of an index


def to_pgvector(source, connection, table=None, *, entity="items", score="inner product", dtype="float32", index=None, ef_search=200,
                overwrite=False):
    """Writes a table raw_id (text, the key), vector (vector or for float16 halfvec) through psycopg; `connection` or its URI.

    source, entity, score: as in to_faiss. table: its name, without one the entity. index: None searches all rows, exactly; "hnsw"
    makes a graph. Ids of at most 2,600 bytes without a character 0.

    All is one transaction (of a connection within one: a part of it). The extension is created where it is missing. Returns a
    Handoff. Raises InputError where the table is there, unless overwrite=True.
    """
    if dtype not in WIDEST or index not in (None, "hnsw"):
        raise _core.InputError(f"dtype is {dtype!r} and index {index!r}, expected float32 or float16, and None or 'hnsw'")
    psycopg = _target.library("psycopg", "pgvector")
    given = _given.take(source, entity, score)
    given.require_ids("PostgreSQL", longest=LONGEST_ID, allowed=lambda text: "\0" not in text, without="no character 0")
    written = _written.Written(given, dtype=dtype)
    widest = WIDEST[dtype][index is not None]
    if written.width > widest:
        raise _core.InputError(f"pgvector: vectors of {written.width} columns, expected at most {widest:,}"
                               f"{' with an index; float16 may have 4,000' if index and dtype == 'float32' else ''}")
    kind = "vector" if dtype == "float32" else "halfvec"
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    with contextlib.ExitStack() as stack:
        if isinstance(connection, str):
            connection = stack.enter_context(psycopg.connect(connection))
        with _target.failing("PostgreSQL", f"table {name}"), connection.transaction():
            there, = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (quoted,)).fetchone()
            if there and not overwrite:
                _target.refuse(f"PostgreSQL's table {name}")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            if there:
                connection.execute(f"DROP TABLE {quoted}")
            connection.execute(f"CREATE TABLE {quoted} (raw_id text PRIMARY KEY, vector {kind}({written.width}) NOT NULL)")
            with connection.cursor().copy(f"COPY {quoted} (raw_id, vector) FROM STDIN") as copy:
                for _, ids, block in written.blocks():
                    for row in zip(ids, _written.texts(block)):
                        copy.write_row(row)
            if index:
                connection.execute(f"CREATE INDEX ON {quoted} USING hnsw (vector {kind}_ip_ops) WITH (m = 32, ef_construction = 200)")
            installed, = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    more = f"connection.execute('SET hnsw.ef_search = {ef_search}')    # more is more exact, to 1000\n" if index else ""
    query = (f"{more}connection.execute('SELECT raw_id FROM {quoted} ORDER BY vector <#> %s::{kind} LIMIT 20',\n"
             "    (str(handoff.queries(user_vector)[0].tolist()),))    # <#> is -(inner product)")
    return _result.describe(written, f"pgvector {installed}", name, "<#>", "column raw_id", query,
                            f"hnsw.ef_search {ef_search}" if index else "no index: exact")


def apply_to_pgvector(delta, connection, table=None, *, entity="items", score="inner product"):
    """Brings a table that to_pgvector wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_pgvector.

    All is one transaction (of a connection within one: a part of it). An index takes the rows in. Returns an Applied. Raises
    InputError where the table is not at the rows that the delta was made since.
    """
    psycopg = _target.library("psycopg", "pgvector")
    change = _change.Change(delta, entity, score)
    if change.changed:
        change.changed.require_ids("PostgreSQL", longest=LONGEST_ID, allowed=lambda text: "\0" not in text, without="no character 0")
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    with contextlib.ExitStack() as stack:
        if isinstance(connection, str):
            connection = stack.enter_context(psycopg.connect(connection))
        with _target.failing("PostgreSQL", f"table {name}"), connection.transaction():
            def one(text, *values):
                return connection.execute(text, values).fetchone()[0]

            if one("SELECT to_regclass(%s) IS NULL", quoted):
                _target.missing(f"PostgreSQL's table {name}")
            connection.execute(f"LOCK TABLE {quoted} IN SHARE ROW EXCLUSIVE MODE")
            kind = one("SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'vector'", quoted)
            how = {"dtype": "float16"} if kind == "halfvec" else {}
            there = f"SELECT count(*) FROM {quoted} WHERE raw_id = ANY(%s)"
            removed = one(there, change.removed)
            change.require_base("PostgreSQL", f"table {name}", count=one(f"SELECT count(*) FROM {quoted}"), removed_there=removed,
                                changed_there=one(there, change.ids))
            if change.kept:
                numbers = numpy.float16 if how else numpy.float32
                found = connection.execute(f"SELECT raw_id, vector::text FROM {quoted} WHERE raw_id = ANY(%s)", (change.kept.ids,))
                change.require_kept("PostgreSQL", f"table {name}", {text: numpy.array(json.loads(row), numbers) for text, row in found}, **how)
            connection.execute(f"DELETE FROM {quoted} WHERE raw_id = ANY(%s)", (change.removed,))
            if change.changed:
                written = change.written(change.changed, **how)
                connection.execute(f"CREATE TEMP TABLE penchant_rows (raw_id text, vector {kind}({written.width})) ON COMMIT DROP")
                with connection.cursor().copy("COPY penchant_rows (raw_id, vector) FROM STDIN") as copy:
                    for _, ids, block in written.blocks():
                        for row in zip(ids, _written.texts(block)):
                            copy.write_row(row)
                connection.execute(f"INSERT INTO {quoted} SELECT raw_id, vector FROM penchant_rows "
                                   "ON CONFLICT (raw_id) DO UPDATE SET vector = excluded.vector")
                connection.execute("DROP TABLE penchant_rows")
            change.require_rows(one(f"SELECT count(*) FROM {quoted}"))
            installed = one("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    return change.applied(f"pgvector {installed}", name, removed)
