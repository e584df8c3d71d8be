# SPDX-License-Identifier: Apache-2.0
"""Vectors of items' texts: the file that text_vectors writes is what ingest, append and the command line read."""
import csv
import unittest

import pyarrow
import pyarrow.parquet

import penchant
import shop


class Letters:
    """An encoder: how often each letter is in a text."""

    def __init__(self):
        self.encoded = 0

    def encode(self, texts, batch_size):
        self.encoded += len(texts)
        return [[float(text.lower().count(chr(letter))) for letter in range(ord("a"), ord("z") + 1)] for text in texts]


def items():
    """Ids and titles, of which every tenth is missing."""
    with open(shop.files() / "items.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    return ([row["item"] for row in rows],
            [None if k % 10 == 9 else f"{row['category']} {row['brand']}" for k, row in enumerate(rows)])


def ingest(name, ids, titles):
    file = penchant.text_vectors(ids, titles, shop.FOLDER / f"{name}.parquet", model=Letters())
    return penchant.ingest(shop.files() / "events.csv", shop.FOLDER / f"{name}.data", progress=False, **shop.COLUMNS,
                           **{"data.items.vectors": [{"name": "look", "file": file}]})


def looks(data):
    """The landmarks of each item."""
    table = pyarrow.parquet.read_table(f"{data.path}/items.parquet")
    return {item: set(values or []) for item, values in zip(table["raw_id"].to_pylist(), table["look"].to_pylist())}


class Content(shop.Case):
    def test_a_text_is_encoded_once_and_a_missing_one_is_null(self):
        encoder = Letters()
        ids, titles = items()
        out = penchant.text_vectors(ids, titles, shop.FOLDER / "once.parquet", model=encoder)
        table = pyarrow.parquet.read_table(out)
        self.assertEqual(len({title for title in titles if title}), encoder.encoded)
        self.assertEqual(ids, table["raw_id"].to_pylist())
        self.assertEqual([title is None for title in titles], [vector is None for vector in table["vector"].to_pylist()])
        self.assertEqual(Letters().encode([titles[3]], 1)[0], table["vector"].to_pylist()[3])

    def test_other_lengths_and_shapes_are_errors_and_leave_no_file(self):
        class Flat:
            def encode(self, texts, batch_size):
                return [0.0 for _ in texts]

        out = shop.FOLDER / "bad.parquet"
        with self.assertRaisesRegex(ValueError, "2 ids and 1 texts"):
            penchant.text_vectors(["a", "b"], ["tea"], out, model=Letters())
        with self.assertRaisesRegex(ValueError, r"shape \(1,\)"):
            penchant.text_vectors(["a"], ["tea"], out, model=Flat())
        with self.assertRaisesRegex(ValueError, "no item has a text"):
            penchant.text_vectors(["a"], [" "], out, model=Letters())
        self.assertEqual([], [path.name for path in shop.FOLDER.glob("bad.parquet*")])

    def test_items_of_the_same_words_share_landmarks(self):
        ids, titles = items()
        data = ingest("look", ids, titles)
        rows = data.report["vector_rows"]
        missing = sum(title is None for title in titles)
        in_log = set(data.item_ids.to_pylist())
        self.assertEqual(len(ids), rows["read"])
        self.assertEqual(sum(title is not None and item in in_log for item, title in zip(ids, titles)), rows["kept"])
        self.assertEqual(missing, next(each["rows"] for each in rows["rejected"] if each["reason"] == "the vector is null"))
        look = looks(data)
        titled = {}
        for item, title in zip(ids, titles):
            if title and look.get(item):
                titled.setdefault(title, []).append(look[item])
        alike = [values for values in titled.values() if len(values) > 1]
        self.assertTrue(alike)
        for values in alike:
            self.assertTrue(all(one == values[0] for one in values), "equal vectors have equal landmarks")

    def test_new_items_bring_theirs(self):
        ids, titles = items()
        data = ingest("grows", ids, titles)
        more = penchant.text_vectors(["n1", "n2"], [titles[0], titles[1]], shop.FOLDER / "new.parquet", model=Letters())
        rows = pyarrow.table({"user": ["u1", "u2"], "item": ["n1", "n2"], "event": ["view", "view"], "time": [2000000000, 2000000001]})
        grown = penchant.append(data, rows, vectors={"look": more}, out=shop.FOLDER / "grown.data", progress=False)
        self.assertEqual(2, grown.report["vector_rows"]["kept"])
        look = looks(grown)
        self.assertEqual(look[ids[0]], look["n1"])
        with self.assertRaisesRegex(penchant.InputError, "expected NAME=FILE.*the data set has look"):
            penchant.append(data, rows, vectors={"sound": more}, out=shop.FOLDER / "no.data", progress=False)
        told = shop.command_line("append", data.path, "--vectors", f"look={more}", "--out", shop.FOLDER / "same.data", "--quiet")
        self.assertIn("vector of an item that is not in the catalogue", told)


if __name__ == "__main__":
    unittest.main()
