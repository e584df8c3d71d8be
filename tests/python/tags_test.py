# SPDX-License-Identifier: Apache-2.0
"""tag does what the command line does, and its table is the file."""
import csv
import functools
import unittest

import pyarrow.parquet

import penchant
import shop


@functools.cache
def model():
    """Of items of which every sixth has no category."""
    with open(shop.files() / "items.csv", newline="") as table, open(shop.FOLDER / "some.csv", "w", newline="") as out:
        writer = csv.writer(out)
        for number, row in enumerate(csv.reader(table)):
            writer.writerow([*row[:2], "" if number % 6 == 1 else row[2], *row[3:]])
    data = penchant.ingest(shop.files() / "events.csv", shop.FOLDER / "tags.data", progress=False, item_table=shop.FOLDER / "some.csv",
                           **{"data.items.key": "item", "data.attributes": ["category", "brand"]}, **shop.COLUMNS)
    return penchant.train(data, shop.FOLDER / "tags.model", progress=False, **shop.QUICK)


class Tags(shop.Case):
    def test_the_table_is_the_file_of_the_command_line(self):
        table = model().tag("category", threshold=0.4, progress=False)
        self.assertEqual(["item_id", "value", "probability", "likeliest"], table.column_names)
        out = shop.FOLDER / "tags.parquet"
        said = shop.as_json("tag", model().data, model().path, "--attribute", "category", "--threshold", 0.4, "--out", out)
        self.assertEqual(pyarrow.parquet.read_table(out).to_pylist(), table.to_pylist())
        self.assertEqual(20, table.num_rows)
        self.assertEqual(said["not_known"], table["value"].to_pylist().count(""))
        self.assertEqual(said, {**penchant.tag(model().data, model(), "category", out=out, threshold=0.4, progress=False)})

    def test_items_of_a_list_and_suspicious_ones(self):
        table = model().tag("category", ["i1", "i2"], threshold=0, progress=False)
        self.assertEqual(["i1", "i2"], table["item_id"].to_pylist())
        odd = model().tag("category", suspicious=True, progress=False)
        self.assertEqual(["item_id", "value", "probability", "likeliest", "likeliest_probability"], odd.column_names)

    def test_what_cannot_be_told_is_an_input_error(self):
        for attribute, options, words in (("categry", {}, "did you mean 'category'"), ("brand", {}, "nothing is missing"),
                                          ("category", {"threshold": 2}, "0 to 1"), ("category", {"items": []}, "no item is asked for")):
            with self.assertRaises(penchant.InputError) as raised:
                model().tag(attribute, progress=False, **options)
            self.assertIn(words, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
