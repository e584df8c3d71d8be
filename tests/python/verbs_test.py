# SPDX-License-Identifier: Apache-2.0
"""The functions do what the command line does: the same files, vectors, lists, metrics and errors."""
import json
import pathlib
import unittest

import numpy as np

import penchant
import shop


class Verbs(shop.Case):
    def test_ingest_makes_the_data_set_of_the_command_line(self):
        made = shop.dataset()
        options = [part for key, value in shop.COLUMNS.items() for part in (f"--{key.replace('_', '-')}", value)]
        report = shop.as_json("ingest", "--log", shop.files() / "events.csv", "--out", shop.FOLDER / "cli.data", *options)
        self.assertEqual(report["rows"], made.report["rows"])
        other = penchant.Dataset(shop.FOLDER / "cli.data")
        self.assertEqual(made.manifest["files"], other.manifest["files"])
        self.assertEqual(made.manifest["hash"], other.manifest["hash"])
        self.assertEqual((report["num_users"], report["num_items"]), (made.num_users, made.num_items))

    def test_train_makes_the_model_of_the_command_line(self):
        settings = [part for key, value in shop.QUICK.items() for part in ("--set", f"{key}={value}")]
        shop.command_line("train", shop.dataset().path, "--out", shop.FOLDER / "cli.model", "--quiet", *settings)
        other = penchant.Model(shop.FOLDER / "cli.model", shop.dataset())
        self.assertEqual(shop.model().manifest["hash"], other.manifest["hash"])
        self.assertGreater(shop.model().training["epochs_run"], 0)

    def test_vectors_are_those_of_embed(self):
        model = shop.model()
        out = shop.FOLDER / "shop.embeddings"
        facts = model.embed(out, format="npy", progress=False)
        for name, vectors, ids in (("items", model.item_vectors, model.item_ids), ("users", model.user_vectors, model.user_ids)):
            stored = np.load(out / f"{name}.npy")
            self.assertEqual(stored.shape, vectors.shape)
            self.assertEqual(stored.tobytes(), vectors.tobytes())
            lines = (out / f"{name}.ids.jsonl").read_text().splitlines()
            self.assertEqual([json.loads(line) for line in lines], ids.to_pylist())
        self.assertEqual(facts["num_items"], model.num_items)
        self.assertEqual(model.item_ids.to_pylist(), shop.dataset().item_ids.to_pylist())

    def test_vectors_are_not_copied_and_outlive_the_model(self):
        first = shop.model().item_vectors
        self.assertEqual(first.__array_interface__["data"], shop.model().item_vectors.__array_interface__["data"])
        self.assertFalse(first.flags.writeable)
        vectors = penchant.Model(shop.model().path).item_vectors
        want = first.copy()
        self.assertEqual(want.tobytes(), vectors.tobytes())
        self.assertEqual(want.tobytes(), np.from_dlpack(vectors).tobytes())

    def test_recommend_is_the_command_line(self):
        users = shop.dataset().user_ids.to_pylist()[:3]
        table = shop.model().recommend(users, k=5, progress=False)
        self.assertEqual(["user_id", "item_id", "score", "rank"], table.column_names)
        for user in users:
            want = shop.as_json("recommend", shop.dataset().path, shop.model().path, "--user", user, "--k", 5)["items"]
            rows = [row for row in table.to_pylist() if row["user_id"] == user]
            self.assertEqual([(item["item"], item["rank"]) for item in want], [(row["item_id"], row["rank"]) for row in rows])
            for item, row in zip(want, rows):
                self.assertEqual(np.float32(item["score"]), np.float32(row["score"]))

    def test_recommend_for_all_and_for_a_history(self):
        table = penchant.recommend(shop.dataset(), shop.model(), k=2, progress=False)
        self.assertEqual(2 * shop.dataset().num_users, table.num_rows)
        history = shop.dataset().item_ids.to_pylist()[:2]
        got = shop.model().recommend(history=history, k=3, progress=False)
        want = shop.as_json("recommend", shop.dataset().path, shop.model().path, "--history", ",".join(history), "--k", 3)
        self.assertEqual([item["item"] for item in want["items"]], got["item_id"].to_pylist())
        self.assert_error("recommend: expected either --user or --history",
                          lambda: shop.model().recommend("u1", history=history))

    def test_similar_is_the_command_line(self):
        item = shop.dataset().item_ids.to_pylist()[0]
        got = penchant.similar(shop.dataset(), shop.model(), item, 4)
        want = shop.as_json("similar", shop.dataset().path, shop.model().path, "--item", item, "--k", 4)["items"]
        self.assertEqual([row["item"] for row in want], got["item_id"].to_pylist())

    def test_evaluate_is_the_command_line(self):
        metrics = shop.model().evaluate(progress=False)
        want = shop.as_json("evaluate", shop.dataset().path, shop.model().path)
        self.assertEqual(want["metrics"], dict(metrics))
        self.assertEqual(want["popularity_metrics"], metrics.baselines["popularity"])
        self.assertIn("ndcg@20", str(metrics))
        self.assertEqual(list(metrics), metrics.to_table()["metric"].to_pylist())
        self.assertIn("<td>ndcg@20</td>", metrics._repr_html_())

    def test_score_is_the_command_line(self):
        import pyarrow as pa
        import pyarrow.csv

        pairs = pa.table({"user": shop.dataset().user_ids[:5], "n": range(5), "item": shop.dataset().item_ids[:5]})
        file = shop.FOLDER / "pairs.csv"
        pyarrow.csv.write_csv(pairs, file)
        shop.command_line("score", shop.dataset().path, shop.model().path, "--pairs", file, "--out", shop.FOLDER / "cli.csv")
        want = [np.float32(line.split(",")[-1]) for line in (shop.FOLDER / "cli.csv").read_text().splitlines()[1:]]
        got = shop.model().score(pairs, progress=False)
        self.assertEqual(["user", "n", "item", "score"], got.column_names)
        self.assertEqual(pairs["n"].to_pylist(), got["n"].to_pylist())
        self.assertEqual(want, [np.float32(score) for score in got["score"].to_pylist()])
        report = shop.model().score(file, shop.FOLDER / "python.csv", progress=False)
        self.assertEqual(5, report["rows_written"])
        self.assertEqual((shop.FOLDER / "cli.csv").read_bytes(), (shop.FOLDER / "python.csv").read_bytes())
        strangers = pa.table({"user": ["nobody"], "item": [shop.dataset().item_ids[0].as_py()]})
        self.assertEqual(0, shop.model().score(strangers, unknown="skip", progress=False).num_rows)
        with self.assertRaisesRegex(penchant.InputError, r"^<pairs>:1: .*'nobody'"):
            shop.model().score(strangers, progress=False)

    def test_report_writes_the_page(self):
        page = pathlib.Path(shop.model().report(shop.FOLDER / "page.html", users=50, map_items=20, progress=False))
        self.assertIn("<html", page.read_text()[:1000])

    def test_objects_describe_themselves(self):
        self.assertIn(f"users={shop.dataset().num_users}", repr(shop.dataset()))
        self.assertIn(f"<td>{shop.dataset().num_users}</td>", shop.dataset()._repr_html_())
        self.assertIn("lightgcn", repr(shop.model()))
        self.assertIn("<table>", shop.model()._repr_html_())
        found = penchant.Dataset(penchant.Model(shop.model().path).data)  # one of several that are the same
        self.assertEqual(shop.dataset().manifest["hash"], found.manifest["hash"])


class Errors(shop.Case):
    def test_texts_are_those_of_the_command_line(self):
        data = shop.dataset().path
        for settings in ({"model.knd": "auto"}, {"train.epochs": "many"}, {"train.epochs": 0}, {"model.kind": "lightgcm"},
                         {"filter.rank": 5, "model.kind": "lightgcn"}):
            given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
            said = shop.command_line("train", data, "--out", shop.FOLDER / "no.model", *given, code=2)
            self.assert_error(said, lambda: penchant.train(data, shop.FOLDER / "no.model", progress=False, **settings))

    def test_of_files(self):
        for arguments, call in (
                (("train", "nowhere.data", "--out", "x.model"), lambda: penchant.train("nowhere.data", "x.model", progress=False)),
                (("train", shop.dataset().path), lambda: penchant.train(shop.dataset(), progress=False)),
                (("ingest", "--log", "no.csv", "--out", "x.data"), lambda: penchant.ingest("no.csv", "x.data", progress=False)),
                (("recommend", shop.dataset().path, shop.model().path, "--user", "nobody"),
                 lambda: shop.model().recommend("nobody", progress=False)),
                (("recommend", shop.dataset().path, shop.model().path, "--user", "u1", "--seen", "hide"),
                 lambda: shop.model().recommend("u1", seen="hide", progress=False))):
            self.assert_error(shop.command_line(*arguments, code=2), call)
        self.assertTrue(issubclass(penchant.InputError, ValueError))

    def test_of_the_device(self):
        with self.assertRaises(penchant.DeviceError) as raised:
            penchant.Model(shop.model().path, device="cuda:900").item_ids
        said = shop.command_line("similar", shop.dataset().path, shop.model().path, "--item", "i1", "--device", "cuda:900", code=3)
        before = said.split(" beside the program")[0]  # another program
        self.assertEqual(before, str(raised.exception).split(" beside the program")[0])


if __name__ == "__main__":
    unittest.main()
