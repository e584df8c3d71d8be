# SPDX-License-Identifier: Apache-2.0
"""The functions do what the command line does: the same files, vectors, lists, metrics and errors."""
import json
import pathlib
import tempfile
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

    def test_verify_finds_what_a_store_lost(self):
        model = shop.model()
        out = shop.FOLDER / "checked.embeddings"
        model.embed(out, format=["jsonl", "parquet"], progress=False)
        report = model.verify(out, sample=50, progress=False)
        self.assertEqual((True, 50, "inner_product"), (report["agrees"], report["users"], report["metric"]))
        told = shop.as_json("embed", shop.dataset().path, model.path, "--verify", out, "--sample", 50)
        self.assertEqual(told, report)
        lines = (out / "items.jsonl").read_text().splitlines(keepends=True)
        (out / "items.jsonl").write_text("".join(lines[1:]))
        with self.assertRaises(penchant.InputError) as raised:
            penchant.verify(shop.dataset(), model, out, progress=False)
        lost = json.loads(lines[0])["raw_id"]
        self.assertIn(f"items.jsonl: 1 id is missing, such as '{lost}'", str(raised.exception))
        formats = {each["format"]: each for each in raised.exception.report["formats"]}
        self.assertEqual((True, False), (formats["parquet"]["agrees"], formats["jsonl"]["agrees"]))
        self.assertEqual(1, formats["jsonl"]["files"][0]["missing"])

    def test_delta(self):
        old, new = shop.wide_model(), shop.later_model()
        delta, embeddings = shop.delta_of(old, new, 0)
        rows = np.load(f"{embeddings}/items.npy")
        self.assertEqual(new.item_vectors.tobytes(), rows.tobytes())
        self.assertEqual(new.user_vectors.tobytes(), np.load(f"{embeddings}/users.npy").tobytes())
        before, after = set(old.item_ids.to_pylist()), set(new.item_ids.to_pylist())
        self.assertEqual((len(before), len(after), len(after - before), len(before - after)),
                         tuple(delta.items[name] for name in ("before", "rows", "new", "removed")))
        self.assertEqual(before - after, set(delta.removed().to_pylist()))
        changed = delta.changed()
        place = {text: row for row, text in enumerate(new.item_ids.to_pylist())}
        for text, row in zip(changed["raw_id"].to_pylist()[:20], changed["vector"].to_pylist()):
            self.assertEqual(new.item_vectors[place[text]].tolist(), row)
        with open(f"{shop.embeddings_of(old)}/manifest.json") as file:
            self.assertEqual(json.load(file)["manifest_hash"], delta.since["manifest_hash"])
        half = delta.movement("users")["share"].to_pylist()[3]
        self.assertGreater(half, 0)
        some = new.delta(shop.embeddings_of(old), shop.FOLDER / "some.delta", half, progress=False)
        self.assertEqual(some.users["rows"], some.users["new"] + some.users["moved"] + some.users["kept"] + some.users["same"])
        self.assertGreater(some.users["kept"], 0)
        self.assertLessEqual(len(some.kept("users")), 200)
        self.assertIn("moved=by more than", repr(some))
        with self.assertRaisesRegex(penchant.InputError, "it was applied already"):
            penchant.apply(embeddings, delta, shop.FOLDER / "twice", progress=False)
        (shop.FOLDER / "some.delta" / "items.removed.jsonl").write_text('"x"\n')
        with self.assertRaisesRegex(penchant.InputError, "items.removed.jsonl: damaged"):
            some.check()

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

    def test_lists_for_many_are_the_files_of_the_command_line(self):
        import pyarrow.ipc

        items = shop.dataset().item_ids.to_pylist()
        (shop.FOLDER / "only.txt").write_text("".join(f"{item}\n" for item in items[:60]))
        (shop.FOLDER / "not.txt").write_text("".join(f"{item}\n" for item in items[:5]))
        options = ["--only-items", shop.FOLDER / "only.txt", "--exclude", shop.FOLDER / "not.txt"]
        files = {"only_items": shop.FOLDER / "only.txt", "exclude": str(shop.FOLDER / "not.txt")}
        memory = {"only_items": items[:60], "exclude": shop.dataset().item_ids[:5]}
        attributes = (["--where", "category != category1", "--at-most", "brand=2"], {"where": "category != category1", "at_most": {"brand": 2}})
        for verb, call, owner, more, keywords in (
                ("recommend", "users", "user_id", ["--seen", "mask", "--ranking", "full"], {"seen": "mask", "ranking": "full"}),
                ("recommend", "users", "user_id", ["--seen", "keep", *attributes[0]], {"seen": "keep", **attributes[1]}),
                ("similar", "items", "target_item_id", [], {}), ("similar", "items", "target_item_id", *attributes)):
            model = shop.model_with_attributes()
            ask = getattr(model, verb)
            want = shop.FOLDER / f"{verb}.arrow"
            shop.command_line(verb, model.data, model.path, f"--all-{call}", "--k", 7, "--out", want, "--quiet", *options, *more)
            table = pyarrow.ipc.open_file(want).read_all()
            self.assertEqual([owner, "item_id", "score", "rank"], table.column_names)
            self.assertGreater(table.num_rows, 1000 if verb == "recommend" else 300)
            got = ask(k=7, progress=False, **memory, **keywords)
            self.assertTrue(table.equals(got))
            self.assertEqual(b"60 ids", got.schema.metadata[b"penchant.only_items"])
            self.assertTrue(ask(k=7, progress=False, **files, **keywords).equals(table, check_metadata=True))
            for ending in ("parquet", "arrow", "csv", "jsonl"):
                want, out = shop.FOLDER / f"cli.{ending}", shop.FOLDER / f"python.{ending}"
                said = shop.as_json(verb, model.data, model.path, f"--all-{call}", "--k", 7, "--out", want, *options, *more)
                facts = ask(k=7, out=out, progress=False, **files, **keywords)
                self.assertEqual(said | {"out": str(out)}, facts)
                self.assertEqual(want.read_bytes(), out.read_bytes())

    def test_lists_for_some(self):
        users = shop.dataset().user_ids.to_pylist()
        all_of_them = shop.model().recommend(k=3, progress=False).to_pylist()
        with self.assertWarnsRegex(penchant.PenchantWarning, r"^users\[2\]: 1 id that came before left out$"):
            some = shop.model().recommend([users[4], users[2], users[4], "nobody"], k=3, unknown="skip")
        self.assertEqual([row for user in (users[4], users[2]) for row in all_of_them if row["user_id"] == user], some.to_pylist())
        self.assertEqual(0, shop.model().recommend([], progress=False).num_rows)
        with self.assertRaisesRegex(penchant.InputError, r"^users\[1\]: unknown user 'nobody'"):
            shop.model().recommend([users[0], "nobody"], progress=False)
        item = shop.dataset().item_ids[3].as_py()
        near = shop.model().similar([item, shop.dataset().item_ids[1].as_py()], 4, progress=False)
        self.assertEqual(shop.model().similar(item, 4, progress=False), near.slice(0, 4).drop_columns("target_item_id"))
        other = near["item_id"][0].as_py()
        history = shop.model().recommend(history=[item], k=2, exclude=[item], only_items=[item, other], seen="keep", progress=False)
        self.assertEqual([other], history["item_id"].to_pylist())
        self.assert_error("recommend: out is for users, not for a history",
                          lambda: shop.model().recommend(history=[item], out="x.csv", progress=False))
        self.assert_error(shop.command_line("recommend", shop.dataset().path, shop.model().path, "--all-users", "--out", "x.xlsx", code=2),
                          lambda: shop.model().recommend(out="x.xlsx", progress=False))

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

    def test_similar_users_is_the_command_line(self):
        user = shop.dataset().user_ids.to_pylist()[0]
        got = shop.model().similar_users(user, 4, progress=False)
        want = shop.as_json("similar", shop.dataset().path, shop.model().path, "--user", user, "--k", 4)["users"]
        self.assertEqual([row["user"] for row in want], got["user_id"].to_pylist())
        both = shop.model().similar_users([user, shop.dataset().user_ids[1].as_py()], 4, progress=False)
        self.assertEqual(["target_user_id", "user_id", "score", "rank"], both.column_names)
        self.assertEqual(got, both.slice(0, 4).drop_columns("target_user_id"))

    def test_links_between_users_are_a_setting(self):
        with tempfile.TemporaryDirectory() as folder:
            log, links = pathlib.Path(folder, "log.csv"), pathlib.Path(folder, "links.csv")
            log.write_text("user,item,time\n" + "".join(f"u{n % 5},i{n % 7},{n}\n" for n in range(35)))
            links.write_text("a,b\nu0,u1\nu1,nobody\n")
            relations = [{"name": "friends", "table": [links], "from": "a", "to": "b"}]
            data = penchant.ingest(log, pathlib.Path(folder, "x.data"), progress=False,
                                   **{"data.columns.user": "user", "data.columns.item": "item", "data.relations": relations})
            self.assertEqual(1, data.report["num_links"])
            self.assertEqual(1, data.report["link_rows"]["rejected"][0]["rows"])

    def test_explain_is_the_command_line(self):
        model = shop.model()
        best = model.recommend("u1", k=1, progress=False)["item_id"][0].as_py()
        explained = model.explain("u1", best, progress=False)
        told = shop.as_json("explain", shop.dataset().path, model.path, "--user", "u1", "--item", best)
        self.assertEqual(explained, told)
        self.assertEqual(explained.sentence, told["sentence"])
        self.assertIn(explained.sentence, str(explained))
        whole = model.explain("u1", best, top=10_000, progress=False)
        total = sum(had["share"] for had in whole["history"]) + sum(whole["parts"].values())
        self.assertAlmostEqual(total / whole["score"], 1, delta=1e-4)
        near = penchant.explain(shop.dataset(), model, item=best, similar="i3" if best != "i3" else "i4", progress=False)
        self.assertEqual(near["meaning"], "cosine")
        self.assertEqual(len(model.explain(history=["i1", "i2"], item=best, top=1, progress=False)["history"]), 1)
        for arguments, words in (({"user": "u1", "item": best, "top": 0}, "--top is 0"), ({"item": best}, "either --user"),
                                 ({"user": "nobody", "item": best}, "unknown user 'nobody'"), ({"user": "u1", "item": "none"}, "unknown item 'none'")):
            with self.assertRaisesRegex(penchant.InputError, words):
                model.explain(**arguments, progress=False)

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
        # What is missing depends on the program, which may have a CUDA module beside it.
        before = said.split(" was asked for")[0]
        self.assertIn("device 'cuda", before)
        self.assertEqual(before, str(raised.exception).split(" was asked for")[0])


if __name__ == "__main__":
    unittest.main()
