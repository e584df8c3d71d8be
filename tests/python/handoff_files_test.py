# SPDX-License-Identifier: Apache-2.0
"""Index files, lines for Vespa, layers, and what all of penchant.handoff shares."""
import functools
import importlib.util
import json
import pathlib
import re
import sys
import unittest

import numpy
import penchant
import shop
from handoff_case import FOLDER, K, File, odd, truth
from penchant import handoff


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

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.98, dtype="float16")
        delta, _ = shop.delta_of(shop.wide_model(), shop.later_model(), 0)
        self.to(shop.wide_model(), "graph", index="hnsw")
        with self.assertRaisesRegex(penchant.InputError, "graph: IndexHNSWFlat cannot take a delta: .*; write it anew with to_faiss"):
            self.apply(delta, "graph")

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
        self.check_file()

    def test_delta(self):
        self.check_delta(0.97)


class Usearch(File):
    libraries, function = ("usearch",), "to_usearch"

    def ask(self, made, queries, k, exact=True):
        from usearch.index import Index

        found = Index.restore(made.target).search(queries, k, exact=exact)
        return self.ids(made, found.keys.astype(int).reshape(len(queries), k))  # for one query [k]

    def test_all(self):
        self.check_exact()
        self.check_recall(0.99, dtype="float16")
        self.check_file()

    def test_delta(self):
        self.check_delta()
        self.check_delta(0.98, dtype="float16")
        self.ask = functools.partial(self.ask, exact=False)
        self.check_delta(0.95)

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
        self.check_file()


class Annoy(File):
    libraries, function = ("annoy",), "to_annoy"

    def ask(self, made, queries, k):
        import annoy

        index = annoy.AnnoyIndex(made.width, "dot")
        index.load(made.target)
        return self.ids(made, [index.get_nns_by_vector(query, k, search_k=10000) for query in queries])

    def test_all(self):
        self.check_recall(0.97)
        self.check_file()


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


    def test_delta(self):
        delta, embeddings = shop.delta_of(shop.wide_model(), shop.later_model(), 0)
        applied = handoff.apply_to_vespa(delta, FOLDER / "delta.jsonl")
        operations = [json.loads(line) for line in (FOLDER / "delta.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertEqual({f"id:penchant:item::{text}" for text in delta.removed().to_pylist()}, {each["remove"] for each in operations
                                                                                                 if "remove" in each})
        puts = {each["fields"]["raw_id"]: each["fields"]["vector"]["values"] for each in operations if "put" in each}
        changed = delta.changed()
        self.assertEqual(applied.written, len(puts))
        self.assertEqual(dict(zip(changed["raw_id"].to_pylist(), changed["vector"].to_pylist())),
                         {text: numpy.array(row, numpy.float32).astype(float).tolist() for text, row in puts.items()})


class Refusals(shop.Case):
    def test_what_cannot_take_a_delta_says_so(self):
        delta, _ = shop.delta_of(shop.wide_model(), shop.later_model(), 0)
        for name in ("annoy", "voyager", "feast"):
            with self.assertRaisesRegex(penchant.InputError, f"x: .*; write it anew with to_{name}"):
                getattr(handoff, f"apply_to_{name}")(delta, "x")
        with self.assertRaises(TypeError):
            handoff.apply_to_vespa(7, FOLDER / "x")


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
