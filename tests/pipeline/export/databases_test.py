# SPDX-License-Identifier: Apache-2.0
"""What `penchant embed` writes, in the hands of those it is written for: PostgreSQL (a server of the test's own), DuckDB, pandas and
PyArrow read it, find the model's own top 20 by inner product, keep every raw id, and what they write again passes `embed --verify`.

usage: databases_test.py PENCHANT
"""
import contextlib
import csv
import glob
import importlib.util
import io
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

K = 20
USERS = 200
CLOSE = 1e-6  # of the largest score: sums of inner products may differ by as much
ODD = ["a,b", 'say "hi"', "tab\there", "line\nbreak", "carriage\rreturn", "back\\slash", "\\N", "\\.", "NULL", "null", "nan", "NA", "007",
       "1e5", "{1,2}", "[3]", "na\u00efve \u2603", "'quoted'", " padded ", "#", "raw_id", "true", "2024-05-01"]
faults = []


def check(holds, what):
    print(f"{what}: {'ok' if holds else 'FAILED'}", flush=True)
    if not holds:
        faults.append(what)


def penchant(*arguments, code=0):
    child = subprocess.run([sys.argv[1], *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if child.returncode != code:
        sys.exit(f"{' '.join(map(str, arguments))}: {child.returncode}, expected {code}: {child.stdout} {child.stderr}")
    return child.stdout if code == 0 else child.stderr


def make_shop(work):
    """A log of users and items whose first ones have odd ids, as Parquet, and a model of it."""
    penchant("generate", "--out", work, "--users", 300, "--items", 150, "--events", 6000, "--seed", 7)
    with open(work / "events.csv", newline="") as file:
        events = list(csv.DictReader(file))
    for side in ("user", "item"):
        common = sorted({event[side] for event in events})
        names = dict(zip(common, ODD))
        for event in events:
            event[side] = names.get(event[side], event[side])
    pa.parquet.write_table(pa.table({name: [event[name] for event in events] for name in ("user", "item", "time")}), work / "log.parquet")
    data, model = work / "shop.data", work / "shop.model"
    penchant("ingest", "--log", work / "log.parquet", "--user-column", "user", "--item-column", "item", "--time-column", "time",
             "--set", "data.missing=[]", "--out", data)
    penchant("train", data, "--out", model, "--set", "model.kind=lightgcn", "--set", "train.epochs=2", "--set", "model.embedding_dim=16")
    return data, model


def rankings_agree(want, got, what):
    """want, got: {user: [(score, item), ...]}, best first. Items whose scores are nearly the last one's may be swapped."""
    different, wrong = 0, []
    for user, ranking in got.items():
        mine = want[user]
        close = CLOSE * max(abs(score) for score, _ in mine)
        scores = all(abs(a - b) <= close for (a, _), (b, _) in zip(mine, ranking))
        swapped = {item for _, item in mine} ^ {item for _, item in ranking}
        near = all(abs(score - mine[-1][0]) <= close for score, item in mine + ranking if item in swapped)
        different += bool(swapped)
        if not scores or not near or len(ranking) != K:
            wrong.append(user)
    check(not wrong and different < USERS / 20 and len(got) == USERS,
          f"{what}: top {K} of {len(got)} users are the model's own ({different} with a near tie)" + (f", not of {wrong[:3]}" if wrong else ""))


def as_rankings(rows):
    found = {}
    for user, item, score in rows:
        found.setdefault(user, []).append((score, item))
    return found


class Postgres:
    """A server on a Unix socket in a folder of its own, gone afterwards. It refuses root: then the account postgres or nobody runs it."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
        self.programs = os.path.dirname(os.path.realpath(found[-1])) if found[-1] else None

    def _run(self, *arguments):
        subprocess.run([*self.as_user, *map(str, arguments)], check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL)

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penchant_pg_", dir="/tmp"))  # a socket's path has 107 bytes at most
        self.as_user = []
        if os.geteuid() == 0:
            accounts = {account.pw_name: account for account in pwd.getpwall()}
            account = accounts.get("postgres") or accounts["nobody"]
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        try:
            self._run(f"{self.programs}/initdb", "-D", self.folder / "data", "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C",
                      "--no-sync")
            options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off -c max_connections=5"
            self._run(f"{self.programs}/pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", 120, "-o", options,
                      "start")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if (self.folder / "data/postmaster.pid").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run(f"{self.programs}/pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, *commands):
        """What psql prints for commands of SQL or its own."""
        given = [word for command in commands for word in ("-c", command)]
        child = subprocess.run([f"{self.programs}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "tester",
                                "-d", "postgres", *given], capture_output=True, text=True, env={**os.environ, "PGCLIENTENCODING": "UTF8"})
        if child.returncode != 0:
            raise RuntimeError(f"{commands}: {child.stderr}")
        return child.stdout

    def rows(self, query):
        """Of a query that selects JSON: ids may hold anything."""
        return [json.loads(line) for line in self.sql(query).splitlines()]


INNER_PRODUCT = "(SELECT sum(a::float8 * b::float8) FROM unnest(u.vector, i.vector) AS pairs(a, b))"


def with_postgres(files, vectors, want, verify, work):
    server = Postgres()
    if server.programs is None:
        print("PostgreSQL: skipped: no initdb here (Debian package postgresql)")
        return
    with server as database:
        for side in ("items", "users"):
            database.sql(f"CREATE TABLE {side} (raw_id text PRIMARY KEY, vector real[] NOT NULL)",
                         f"\\copy {side} FROM '{files / f'{side}.pgcopy'}' (ENCODING 'UTF8')",
                         f"CREATE TABLE {side}_text (raw_id text PRIMARY KEY, vector text NOT NULL)",
                         f"\\copy {side}_text FROM '{files / f'{side}.pgvector'}'")
            stored = {raw: np.array(vector, np.float32) for raw, vector in
                      database.rows(f"SELECT json_build_array(raw_id, vector) FROM {side}")}
            check(stored.keys() == vectors[side].keys(), f"PostgreSQL: raw ids of {side} survive")
            check(all(np.array_equal(stored[raw], vectors[side][raw]) for raw in stored), f"PostgreSQL: vectors of {side} survive")
            differing = database.sql(f"SELECT count(*) FROM {side}_text t FULL JOIN {side} s USING (raw_id) "
                                     "WHERE translate(t.vector, '[]', '{}')::real[] IS DISTINCT FROM s.vector")
            check(differing.strip() == "0", f"PostgreSQL: pgvector's text of {side} is the same")
            if database.sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'").strip() == "1":
                database.sql("CREATE EXTENSION IF NOT EXISTS vector", f"CREATE TABLE {side}_vector (raw_id text PRIMARY KEY, vector vector)",
                             f"\\copy {side}_vector FROM '{files / f'{side}.pgvector'}'")
                check(True, f"pgvector: takes {side}")
            else:
                print("pgvector: skipped: the extension is not installed")
        best = database.rows(
            f"SELECT json_build_array(u.raw_id, best.raw_id, best.score) FROM (SELECT * FROM users ORDER BY raw_id LIMIT {USERS}) u CROSS JOIN "
            f"LATERAL (SELECT i.raw_id, {INNER_PRODUCT} AS score FROM items i ORDER BY score DESC, i.raw_id LIMIT {K}) best "
            "ORDER BY u.raw_id, best.score DESC, best.raw_id")
        rankings_agree(want, as_rankings(best), "PostgreSQL")
        back = work / "postgres"
        back.mkdir()
        for side in ("items", "users"):
            database.sql(f"\\copy (SELECT raw_id, vector FROM {side} ORDER BY raw_id DESC) TO '{back / f'{side}.pgcopy'}' (ENCODING 'UTF8')")
        verify(back, "PostgreSQL")
        folder = database.folder
    check(not folder.exists(), "PostgreSQL: the server and its folder are gone")


def with_duckdb(files, vectors, want, verify, work):
    if importlib.util.find_spec("duckdb") is None:
        print("DuckDB: skipped: Python has no module duckdb")
        return
    import duckdb

    connection = duckdb.connect()
    columns = "{'raw_id': 'VARCHAR', 'vector': 'FLOAT[]'}"
    readers = {"parquet": "read_parquet('{}')", "jsonl": f"read_json('{{}}', format = 'newline_delimited', columns = {columns})",
               "csv": f"read_csv('{{}}', header = true, quote = '\"', escape = '\"', delim = ',', columns = {columns})"}
    for name, reader in readers.items():
        back = work / f"duckdb_{name}"
        back.mkdir()
        for side in ("items", "users"):
            connection.execute(f"CREATE OR REPLACE TABLE {side} AS SELECT * FROM " + reader.replace("{}", str(files / f"{side}.{name}"), 1))
            stored = {raw: np.array(vector, np.float32) for raw, vector in
                      connection.execute(f"SELECT raw_id, vector FROM {side}").fetchall()}
            check(stored.keys() == vectors[side].keys(), f"DuckDB: {name}: raw ids of {side} survive")
            check(all(np.array_equal(stored[raw], vectors[side][raw]) for raw in stored if raw in vectors[side]),
                  f"DuckDB: {name}: vectors of {side} survive")
            target = {"parquet": f"{side}.parquet", "jsonl": f"{side}.jsonl", "csv": f"{side}.csv"}[name]
            kind = {"parquet": "FORMAT parquet", "jsonl": "FORMAT json", "csv": "FORMAT csv, HEADER"}[name]
            connection.execute(f"COPY (SELECT * FROM {side} ORDER BY raw_id DESC) TO '{back / target}' ({kind})")
        best = connection.execute(
            f"SELECT u.raw_id, i.raw_id, list_inner_product(u.vector::DOUBLE[], i.vector::DOUBLE[]) AS score FROM (SELECT * FROM users ORDER BY "
            f"raw_id LIMIT {USERS}) u, items i QUALIFY row_number() OVER (PARTITION BY u.raw_id ORDER BY score DESC, i.raw_id) <= {K} "
            "ORDER BY u.raw_id, score DESC, i.raw_id").fetchall()
        rankings_agree(want, as_rankings(best), f"DuckDB: {name}")
        verify(back, f"DuckDB: {name}")


def with_pandas(files, vectors):
    if importlib.util.find_spec("pandas") is None:
        print("pandas: skipped: Python has no module pandas")
        return
    import pandas

    frame = pandas.read_csv(files / "items.csv", dtype={"raw_id": str}, keep_default_na=False, converters={"vector": json.loads})
    check(frame["raw_id"].tolist() == list(vectors["items"]), "pandas: csv: raw ids survive")
    check(np.array_equal(np.array(frame["vector"].tolist(), np.float32), np.array(list(vectors["items"].values()))),
          "pandas: csv: vectors survive")


def with_pyarrow(files, vectors, manifest):
    tables = {"parquet": pa.parquet.read_table(files / "items.parquet"), "arrow": pa.ipc.open_file(files / "items.arrow").read_all()}
    for name, table in tables.items():
        told = {key.decode(): value.decode() for key, value in table.schema.metadata.items() if key.startswith(b"penchant.")}
        wanted = {"penchant.vectors": "items", "penchant.score": "inner product", "penchant.metric": "inner_product",
                  "penchant.model_hash": manifest["model_hash"], "penchant.width": str(manifest["dimension"]),
                  "penchant.normalized": str(manifest["normalized"]).lower(), "penchant.dtype": "float32",
                  "penchant.popularity_column": str(manifest["popularity_column"]).lower()}
        check(wanted.items() <= told.items(), f"PyArrow: {name}: the schema says the metric and what the vectors are")
        check(table.schema.field("vector").type == pa.list_(pa.float32(), manifest["dimension"]), f"PyArrow: {name}: lists of fixed size")
        check(table["raw_id"].to_pylist() == list(vectors["items"]), f"PyArrow: {name}: raw ids survive")
        check(table["vector"].to_pylist() == [vector.tolist() for vector in vectors["items"].values()], f"PyArrow: {name}: vectors survive")
    check(len(pa.ipc.open_file(files / "items.arrow").schema.metadata) >= 12, "PyArrow: arrow: as a file, by its footer")


def main(work):
    data, model = make_shop(work)
    files = work / "shop.embeddings"
    penchant("embed", data, model, "--out", files, "--format", "both,arrow,safetensors,fbin", "--format", "jsonl,csv,pgcopy,pgvector")
    vectors = {}
    for side in ("items", "users"):
        with io.open(files / f"{side}.ids.jsonl", encoding="utf-8") as lines:
            vectors[side] = dict(zip(map(json.loads, lines), np.load(files / f"{side}.npy")))
        check(set(ODD) <= vectors[side].keys(), f"odd ids are among the {side}")
    penchant("recommend", data, model, "--all-users", "--k", K, "--seen", "keep", "--ranking", "vectors", "--out", work / "lists.jsonl")
    with open(work / "lists.jsonl", encoding="utf-8") as lines:
        want = as_rankings((row["user_id"], row["item_id"], row["score"]) for row in map(json.loads, lines))

    def verify(folder, who):
        child = subprocess.run([sys.argv[1], "embed", data, model, "--verify", folder, "--quiet"], capture_output=True, text=True)
        check(child.returncode == 0, f"{who}: what it gives back passes --verify{child.stderr and ': ' + child.stderr.strip()}")

    verify(files, "embed")
    manifest = json.loads((files / "manifest.json").read_text())
    with_pyarrow(files, vectors, manifest)
    with_pandas(files, vectors)
    with_duckdb(files, vectors, want, verify, work)
    with_postgres(files, vectors, want, verify, work)


signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the server is stopped too
with tempfile.TemporaryDirectory() as name:
    main(pathlib.Path(name))
sys.exit(f"{len(faults)} failed: {faults}" if faults else 0)
