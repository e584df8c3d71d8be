# SPDX-License-Identifier: Apache-2.0
"""A table in memory gives the data set of the same rows in a Parquet file, and the errors of that file."""
import unittest

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse

import penchant
import shop


def events():
    frame = pd.read_csv(shop.files() / "events.csv", dtype={"user": str, "item": str})
    frame["when"] = pd.to_datetime(frame.pop("time"), unit="ms", utc=True)
    return frame


COLUMNS = {**shop.COLUMNS, "time_column": "when"}


class Frames(shop.Case):
    def of_file(self, table, name, **options):
        file = shop.FOLDER / f"{name}.parquet"
        pq.write_table(table, file)
        return penchant.ingest(file, shop.FOLDER / f"{name}.file.data", progress=False, **options)

    def assert_same(self, one, other):
        self.assertEqual(one.manifest["files"], other.manifest["files"])
        self.assertEqual(one.manifest["hash"], other.manifest["hash"])
        self.assertEqual(one.report["rows"]["kept"], other.report["rows"]["kept"])

    def test_every_library_gives_the_data_set_of_the_file(self):
        frame = events()
        table = pa.Table.from_pandas(frame, preserve_index=False)
        want = self.of_file(table, "log", **COLUMNS)
        frames = {"pandas": frame, "polars": pl.from_arrow(table), "pyarrow": table, "batches": table.to_reader(1000),
                  "duckdb": duckdb.connect().from_arrow(table), "indexed": frame.set_index(np.arange(len(frame))[::-1]),
                  "categories": frame.astype({"user": "category", "event": "category"}),
                  "dict": {name: table[name] for name in table.column_names}}
        for name, given in frames.items():
            with self.subTest(name):
                got = penchant.ingest(given, shop.FOLDER / f"{name}.data", progress=False, **COLUMNS)
                self.assert_same(want, got)
                self.assertEqual([{"file": "<log>", "role": "log", "rows": len(frame)}], got.manifest["provenance"]["inputs"])

    def test_items_and_parts(self):
        items = pl.read_csv(shop.files() / "items.csv")
        attributes = [{"column": "name", "kind": "text"}, "category", {"column": "price", "kind": "numeric"}]
        options = {**COLUMNS, "data.items.key": "item", "data.attributes": attributes}
        items.write_parquet(shop.FOLDER / "items.parquet")
        log = events()
        table = pa.Table.from_pandas(log, preserve_index=False)
        want = self.of_file(table, "with_items", item_table=shop.FOLDER / "items.parquet", **options)
        got = penchant.ingest(log, shop.FOLDER / "with_items.data", item_table=items, progress=False, **options)
        self.assert_same(want, got)
        self.assertEqual(["name", "category", "price"], [attribute["name"] for attribute in got.manifest["attributes"]])
        pq.write_table(table.slice(0, 5000), shop.FOLDER / "a.parquet")
        pq.write_table(table.slice(5000), shop.FOLDER / "b.parquet")
        weights = {"data.event_weights": {"view": 1, "cart": 3, "purchase": 9}}
        want = penchant.ingest(shop.FOLDER / "a.parquet", shop.FOLDER / "ab.file.data", test=shop.FOLDER / "b.parquet",
                               progress=False, **COLUMNS, **weights)
        got = penchant.ingest([log[:2000], log[2000:5000]], shop.FOLDER / "ab.data", test=log[5000:], progress=False, **COLUMNS,
                              **weights)
        self.assert_same(want, got)

    def test_many_blocks_are_the_rows_of_the_csv(self):
        """Several blocks, a slice of a larger table, a dictionary that changes between batches, lists, and rows without a time."""
        random = np.random.default_rng(3)
        rows = 150_000
        item = random.integers(0, 900, rows)
        when = pd.Series(1.7e12 + random.integers(0, 10**9, rows)).astype("Int64")
        when[random.random(rows) < 0.01] = pd.NA
        when[rows - 7] = 4102444800000  # beyond 2100
        tags = [["red", "tall"] if one % 3 == 0 else [] if one % 3 == 1 else ["blue"] for one in item]
        log = pd.DataFrame({"user": [f"u{one}" for one in random.integers(0, 4000, rows)], "item": item, "when": when,
                            "tags": tags})
        options = {"user_column": "user", "item_column": "item", "time_column": "when", "progress": False,
                   "data.attributes": [{"column": "tags", "kind": "list"}]}
        text = shop.FOLDER / "blocks.csv"
        log.assign(tags=["|".join(one) for one in tags]).to_csv(text, index=False)
        want = penchant.ingest(text, shop.FOLDER / "blocks.file.data", **options)

        def coded(part):
            table = pa.Table.from_pandas(part, preserve_index=False)
            return table.set_column(0, "user", table["user"].dictionary_encode())

        whole = pa.concat_tables([coded(log[:10]), coded(log[:70_000]), coded(log[70_000:])])
        frames = {"numbers": whole.slice(10), "timestamps": log.assign(when=pd.to_datetime(log["when"], unit="ms", utc=True))}
        for name, given in frames.items():
            with self.subTest(name):
                got = penchant.ingest(given, shop.FOLDER / "blocks.data", **options)
                self.assertEqual(want.manifest["files"], got.manifest["files"])
                found = [[(one["reason"], one["rows"]) for one in data.report["rows"]["rejected"]] for data in (want, got)]
                self.assertEqual(found[0], found[1])
        self.assertEqual(["bad time"], [reason for reason, _ in found[1]])
        # The times' text is there where a filter asks for it.
        recent = {**options, "data.filters": ["when >= 1700500000000"]}
        want = penchant.ingest(text, shop.FOLDER / "blocks.file.data", **recent)
        got = penchant.ingest(frames["numbers"], shop.FOLDER / "blocks.data", **recent)
        self.assertEqual(want.manifest["files"], got.manifest["files"])
        self.assertGreater(rows - 20_000, want.report["rows"]["kept"])

    def test_rows_that_come_later(self):
        items = pl.read_csv(shop.files() / "items.csv")
        options = {**COLUMNS, "item_table": items, "data.items.key": "item", "progress": False,
                   "data.attributes": [{"column": "name", "kind": "text"}, "category"]}
        log = events()
        first = penchant.ingest(log[:5000], shop.FOLDER / "first.data", **options)
        users, item_ids = first.user_ids, first.item_ids
        grown = first.append(log[4000:].assign(user=log["user"].where(log.index < len(log) - 1, "late")), progress=False,
                             item_table=pl.DataFrame({"item": ["fresh"], "name": ["Fresh"], "category": [None]}),
                             out=shop.FOLDER / "grown.data")
        self.assertEqual(users, grown.user_ids[:len(users)])
        self.assertEqual(item_ids, grown.item_ids[:len(item_ids)])
        self.assertEqual("fresh", grown.item_ids[-1].as_py())
        self.assertEqual(len(log) - 5000, grown.report["rows"]["kept"])
        self.assertEqual(1000, grown.report["rows"]["read"] - grown.report["rows"]["kept"])
        self.assertEqual(len(log), grown.num_train + grown.num_validation + grown.num_test)
        self.assertEqual(5000, penchant.Dataset(first).manifest["rows"]["kept"])
        again = first.append(log, progress=False)
        self.assertIs(first, again)
        self.assert_error("append: nothing to append was given (--log FILE, --events DIR, --item-table FILE, --vectors NAME=FILE)", lambda: first.append(progress=False))
        with self.assertRaisesRegex(penchant.InputError, "no column 'when'"):
            first.append(log.drop(columns="when"), progress=False)

    def test_a_model_follows(self):
        log = events()
        log = log.sort_values("when")
        living = penchant.ingest(log[:4500], shop.FOLDER / "living.data", progress=False, **COLUMNS,
                                 **{"data.split.method": "global_time", "data.split.test_fraction": 0})
        model = penchant.train(living, shop.FOLDER / "living.model", progress=False,
                               **{"model.kind": "lightgcn", "model.embedding_dim": 8, "train.epochs": 3})
        before = model.item_vectors.copy()
        updated = model.update(log[4000:], progress=False)
        self.assertTrue(updated.training["trained"])
        self.assertEqual((2, 2), (updated.training["data_version"], updated.training["model_version"]))
        self.assertEqual(len(log) - 4500, updated.training["rows"]["rows"]["kept"])
        self.assertEqual(updated.item_vectors.shape[0], penchant.Dataset(living.path).num_items)
        self.assertGreater(updated.training["moved"]["items"]["cosine"]["median"], .8)
        old = penchant.Model(shop.FOLDER / "living.model.v1", data=living.path)
        np.testing.assert_array_equal(before, old.item_vectors)
        self.assertFalse(penchant.update(living, updated, progress=False).training["trained"])

    def test_forgetting(self):
        log = events()
        data = penchant.ingest(log, shop.FOLDER / "forgets.data", **COLUMNS, progress=False)
        people, items = data.user_ids, data.item_ids
        (shop.FOLDER / "gone.txt").write_text(f"{people[3]}\nnobody\n")
        less = data.forget(shop.FOLDER / "gone.txt", items=items[:2], out=shop.FOLDER / "less.data", progress=False)
        rows = log[(log["user"] == people[3].as_py()) | log["item"].isin(items[:2].to_pylist())]
        self.assertEqual(len(rows), sum(less.report[f"forgotten_{part}"] for part in ("train", "validation", "test")))
        self.assertEqual((1, 1, 2), tuple(less.report[f"num_{name}"] for name in ("forgotten_users", "unknown_users", "forgotten_items")))
        self.assertIn({"path": data.path, "kind": "data"}, less.report["remaining"])
        self.assertEqual([name for name in people.to_pylist() if name != people[3].as_py()], less.user_ids.to_pylist())
        self.assertIs(data, data.forget([people[3]], progress=False))
        self.assertEqual(len(people) - 1, data.num_users)
        self.assertEqual({"when", "users", "items", "rows", "rows_until_ms"}, set(data.manifest["provenance"]["forgotten"][0]))
        self.assert_error("forget: nothing to forget was given (--users FILE, --items FILE)", lambda: data.forget(progress=False))
        with self.assertRaisesRegex(penchant.InputError, "^users: none of its 1 ids is among the users of"):
            penchant.forget(data, people[3], progress=False)

    def test_errors_are_those_of_the_file(self):
        good = pa.table({"user": ["a", None, "b"], "item": ["x", "y", "z"], "bag": [[{"a": 1}], [], []], "w": ["1", "2", "no"]})
        for options in ({"user_column": "usr", "item_column": "item"}, {"user_column": "bag", "item_column": "item"},
                        {"user_column": "user", "item_column": "item", "strict": True},
                        {"user_column": "item", "item_column": "item", "weight_column": "w", "strict": True}):
            with self.subTest(str(options)):
                with self.assertRaises(penchant.InputError) as of_file:
                    self.of_file(good, "bad", **options)
                text = str(of_file.exception).replace(str(shop.FOLDER / "bad.parquet"), "<log>").replace("<element:", "<item:")
                self.assertIn("<log>", text)
                self.assert_error(text, lambda: penchant.ingest(good, shop.FOLDER / "bad.data", progress=False, **options))
        self.assertFalse((shop.FOLDER / "bad.data" / "manifest.json").exists())

    def test_what_is_no_table(self):
        mixed = pd.DataFrame({"user": ["a", 1], "item": ["x", "y"]})
        with self.assertRaisesRegex(penchant.InputError, "^<log>: column 'user' holds values that are not of one type"):
            penchant.ingest(mixed, shop.FOLDER / "x.data", user_column="user", item_column="item", progress=False)
        with self.assertRaisesRegex(TypeError, "^log is of type int, expected a path, a table"):
            penchant.ingest(5, shop.FOLDER / "x.data")
        empty = pa.table({"user": pa.array([], pa.string()), "item": pa.array([], pa.string())})
        self.assert_error("ingest: no interaction is left of 0 rows read",
                          lambda: penchant.ingest(empty, shop.FOLDER / "x.data", user_column="user", item_column="item",
                                                  progress=False))

    def test_a_reader_that_fails(self):
        def batches():
            yield pa.record_batch({"user": ["a"], "item": ["x"]})
            raise RuntimeError("the disk is gone")

        schema = pa.schema({"user": pa.string(), "item": pa.string()})
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        with self.assertRaisesRegex(penchant.InputError, "^<log>: .*the disk is gone"):
            penchant.ingest(reader, shop.FOLDER / "x.data", user_column="user", item_column="item", progress=False)

    def test_a_sparse_matrix(self):
        random = np.random.default_rng(1)
        matrix = scipy.sparse.random(30, 20, 0.4, "csr", random_state=random, data_rvs=lambda n: random.integers(1, 5, n))
        entries = matrix.tocoo()
        table = pa.table({"user": entries.row, "item": entries.col, "weight": entries.data})
        want = self.of_file(table, "matrix", user_column="user", item_column="item", weight_column="weight")
        self.assert_same(want, penchant.ingest(matrix, shop.FOLDER / "matrix.data", progress=False))


if __name__ == "__main__":
    unittest.main()
