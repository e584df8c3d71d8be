# SPDX-License-Identifier: Apache-2.0
"""sqlite-vec: a vec0 table raw_id, vector. It has no inner product: the added column makes L2 rank by it."""
import contextlib
import os
import sqlite3

import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

WIDEST, LONGEST_LIST = 8192, 4096


def to_sqlite_vec(source, database, table=None, *, entity="items", score="inner product", overwrite=False):
    """Writes a vec0 table raw_id (text, the key), vector (float, distance_metric=l2) of `database`, a path or a sqlite3.Connection.

    source, entity, score: as in to_faiss. table: its name, without one the entity. The rows have a column more than the model's,
    which makes the order by L2 that of the inner product; the Handoff's queries() have a zero there. Searches are exact.

    All is one transaction (of a connection within one: a part of it). Returns a Handoff. Raises InputError where the table is there,
    unless overwrite=True.
    """
    sqlite_vec = _target.library("sqlite_vec", "sqlite-vec")
    given = _given.take(source, entity, score)
    given.require_ids("sqlite-vec", allowed=lambda text: "\0" not in text, without="no character 0")
    written = _written.Written(given, added="l2")
    if written.width > WIDEST:
        raise _core.InputError(f"sqlite-vec: vectors of {written.width} columns, one of them added, expected at most {WIDEST:,}")
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    of_path = isinstance(database, (str, os.PathLike))
    with contextlib.ExitStack() as stack:
        connection = database
        if of_path:
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(os.fspath(database))))
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
        there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        if there and not overwrite:
            _target.refuse(f"SQLite's table {name}")
        connection.execute("SAVEPOINT penchant")

        def undo():
            connection.execute("ROLLBACK TO penchant")
            connection.execute("RELEASE penchant")

        with _target.failing("sqlite-vec", f"table {name}", undo):
            if there:
                connection.execute(f"DROP TABLE {quoted}")
            connection.execute(f"CREATE VIRTUAL TABLE {quoted} USING vec0(raw_id TEXT PRIMARY KEY, "
                               f"vector FLOAT[{written.width}] distance_metric=l2)")
            for _, ids, block in written.blocks():
                connection.executemany(f"INSERT INTO {quoted}(raw_id, vector) VALUES (?, ?)", zip(ids, (row.tobytes() for row in block)))
            count, = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()
            if count != len(written):
                raise RuntimeError(f"{count} rows are there of {len(written)}")
            connection.execute("RELEASE penchant")
    query = (f"connection.execute('SELECT raw_id, distance FROM {quoted} WHERE vector MATCH ? AND k = ? ORDER BY distance',\n"
             f"    (handoff.queries(user_vector).tobytes(), k))    # k at most {LONGEST_LIST}; after sqlite_vec.load(connection)")
    return _result.describe(written, f"sqlite-vec {_target.version('sqlite-vec')}", name, "l2", "column raw_id", query,
                            "exact; l2 of the rows with the added column, smaller is better")


def apply_to_sqlite_vec(delta, database, table=None, *, entity="items", score="inner product"):
    """Brings a table that to_sqlite_vec wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_sqlite_vec.

    All is one transaction (of a connection within one: a part of it). Returns an Applied. Raises InputError where the table is not
    at the rows that the delta was made since, and where a row is longer than all that are there: the added column is fitted to the
    longest, so that all rows must be handed off anew.
    """
    sqlite_vec = _target.library("sqlite_vec", "sqlite-vec")
    change = _change.Change(delta, entity, score)
    if change.changed:
        change.changed.require_ids("sqlite-vec", allowed=lambda text: "\0" not in text, without="no character 0")
    name = table or entity
    quoted = '"' + name.replace('"', '""') + '"'
    with contextlib.ExitStack() as stack:
        connection = database
        if isinstance(database, (str, os.PathLike)):
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(os.fspath(database))))
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            _target.missing(f"SQLite's table {name}")
        connection.execute("SAVEPOINT penchant")

        def undo():
            connection.execute("ROLLBACK TO penchant")
            connection.execute("RELEASE penchant")

        def rows(ids):
            """{raw id: row} of those that are there: one look-up of the key each."""
            text = f"SELECT vector FROM {quoted} WHERE raw_id = ?"
            found = ((each, connection.execute(text, (each,)).fetchone()) for each in ids)
            return {each: numpy.frombuffer(row[0], numpy.float32) for each, row in found if row}

        with _target.failing("sqlite-vec", f"table {name}", undo):
            count = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]
            removed, changed = rows(change.removed), rows(change.ids)
            change.require_base("sqlite-vec", f"table {name}", count=count, removed_there=len(removed), changed_there=len(changed))
            row = connection.execute(f"SELECT vector FROM {quoted} LIMIT 1").fetchone()
            most = float((numpy.frombuffer(row[0], numpy.float32).astype(float) ** 2).sum()) if row else None  # of every row the same
            change.require_kept("sqlite-vec", f"table {name}", rows(change.kept.ids if change.kept else []), added="l2", most=most)
            written = change.written(change.changed, added="l2", most=most)
            for text in (*removed, *changed):
                connection.execute(f"DELETE FROM {quoted} WHERE raw_id = ?", (text,))
            for _, ids, block in written.blocks() if written else ():
                connection.executemany(f"INSERT INTO {quoted}(raw_id, vector) VALUES (?, ?)", zip(ids, (row.tobytes() for row in block)))
            change.require_rows(connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])
            connection.execute("RELEASE penchant")
    return change.applied(f"sqlite-vec {_target.version('sqlite-vec')}", name, len(removed))
