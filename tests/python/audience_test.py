# SPDX-License-Identifier: Apache-2.0
"""Audiences from Python: tables in memory, files, and the errors of the command line."""
import json
import unittest

import penchant
import pyarrow
import pyarrow.parquet
import shop


class Audiences(shop.Case):
    def test_of_a_seed_is_a_table_and_the_file_of_the_command_line(self):
        model = shop.model()
        seed = model.user_ids.to_pylist()[:40]
        table = model.audience(seed, size=25, progress=False)
        self.assertEqual(["user_id", "rank", "probability", "lift"], table.column_names)
        self.assertEqual(list(range(1, 26)), table["rank"].to_pylist())
        self.assertFalse(set(seed) & set(table["user_id"].to_pylist()))
        said = json.loads(table.schema.metadata[b"penchant.said"])
        self.assertEqual(40, said["left_out"]["seed"])
        self.assertEqual(said["eligible"], said["users_considered"] - 40)
        (shop.FOLDER / "seed.txt").write_text("\n".join(seed))
        written = shop.as_json("audience", model.data, model.path, "--seed", shop.FOLDER / "seed.txt", "--size", 25, "--out",
                               shop.FOLDER / "audience.parquet")
        self.assertEqual(said["base_rate"], written["base_rate"])
        self.assertEqual(table.to_pydict(), pyarrow.parquet.read_table(shop.FOLDER / "audience.parquet").to_pydict())

    def test_of_an_interest_with_a_table_of_users_in_memory(self):
        model = shop.model()
        users = model.user_ids.to_pylist()
        table = pyarrow.table({"id": users, "age": [20 + number % 50 for number in range(len(users))]})
        items = model.item_ids.to_pylist()[:10]
        facts = model.audience(interest_items=items, share="50%", keep_seed=True, user_table=table, user_key="id",
                               where_users="age < 40", out=shop.FOLDER / "young.csv", progress=False)
        young = sum(20 + number % 50 < 40 for number in range(len(users)))
        self.assertEqual(young, facts["eligible"])
        self.assertEqual(-(-young // 2), facts["size"])
        self.assertGreater(facts["base_rate"], 0)

    def test_errors(self):
        model = shop.model()
        with self.assertRaisesRegex(penchant.InputError, "3 known users, expected at least 20"):
            model.audience(model.user_ids.to_pylist()[:3], size=25, progress=False)
        with self.assertRaisesRegex(penchant.InputError, "seed.1.: unknown user"):
            model.audience([model.user_ids[0].as_py(), "nobody"], size=25, progress=False)
        with self.assertRaisesRegex(penchant.InputError, "--share is 'half'"):
            model.audience(interest_items=model.item_ids.to_pylist()[:1], share="half", progress=False)


if __name__ == "__main__":
    unittest.main()
