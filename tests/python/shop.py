# SPDX-License-Identifier: Apache-2.0
"""A small shop, its data set and models, made once for all tests: files by `penchant generate`, the rest by the package."""
import csv
import functools
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import penchant

PROGRAM = os.environ["PENCHANT_PROGRAM"]
QUICK = {"model.kind": "lightgcn", "train.epochs": 2, "model.embedding_dim": 16}
COLUMNS = {"user_column": "user", "item_column": "item", "time_column": "time", "event_column": "event"}
_folder = tempfile.TemporaryDirectory(prefix="penchant_python_test_")
FOLDER = pathlib.Path(_folder.name)


def command_line(*arguments, code=0):
    """What the program prints, or for another code what it says on stderr."""
    child = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert child.returncode == code, f"{arguments}: {child.returncode} {child.stderr}"
    return child.stdout if code == 0 else child.stderr.removeprefix("penchant: ").rstrip("\n")


def as_json(*arguments):
    return json.loads(command_line(*arguments, "--json", "--quiet"))


@functools.cache
def files():
    command_line("generate", "--out", FOLDER / "shop", "--users", 300, "--items", 120, "--events", 6000, "--quiet")
    return FOLDER / "shop"


@functools.cache
def dataset():
    return penchant.ingest(files() / "events.csv", FOLDER / "shop.data", progress=False, **COLUMNS)


@functools.cache
def model():
    return penchant.train(dataset(), FOLDER / "shop.model", progress=False, **QUICK)


@functools.cache
def model_with_attributes():
    """Of items with a category and a brand."""
    data = penchant.ingest(files() / "events.csv", FOLDER / "attributes.data", progress=False, item_table=files() / "items.csv",
                           **{"data.items.key": "item", "data.attributes": ["category", "brand"]}, **COLUMNS)
    return penchant.train(data, FOLDER / "attributes.model", progress=False, **QUICK)


@functools.cache
def wide_model():
    """Of more users and items, for indexes."""
    command_line("generate", "--out", FOLDER / "wide", "--users", 300, "--items", 1500, "--events", 12000, "--quiet")
    data = penchant.ingest(FOLDER / "wide" / "events.csv", FOLDER / "wide.data", progress=False, **COLUMNS)
    return penchant.train(data, FOLDER / "wide.model", progress=False, **{**QUICK, "model.embedding_dim": 32})


@functools.cache
def later_model():
    """Of the shop of wide_model some time later: 20 of its items are gone, 12 are new, and all rows are in another order."""
    wide_model()
    header, *rows = (FOLDER / "wide" / "events.csv").read_text().splitlines()
    columns = header.split(",")
    place = columns.index("item")
    odd = ["it's", "a,b", 'say "hi"', "手袋", " 7 ", "%s {x}", "a/b:c#d?e", "Ärmel", "-1", "line\nbreak", "tab\there", "back\\slash"]
    names = sorted({row.split(",")[place] for row in rows})
    renamed = dict(zip(names[40:52], odd))
    with open(FOLDER / "later.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in map(lambda row: row.split(","), reversed(rows)):
            if row[place] not in names[60:68]:
                row[place] = renamed.get(row[place], row[place])
                writer.writerow(row)
    data = penchant.ingest(FOLDER / "later.csv", FOLDER / "later.data", progress=False, quote='"', **COLUMNS)
    return penchant.train(data, FOLDER / "later.model", progress=False, **{**QUICK, "model.embedding_dim": 32, "train.seed": 7})


@functools.cache
def embeddings_of(model):
    model.embed(f"{model.path}.embeddings", format="npy", progress=False)
    return f"{model.path}.embeddings"


@functools.cache
def delta_of(old, new, moved):
    """From one model to another, and what it makes of the old one's embeddings."""
    name = f"{old.path}.{moved}.{pathlib.Path(new.path).name}"
    delta = new.delta(embeddings_of(old), f"{name}.delta", moved, progress=False)
    penchant.apply(embeddings_of(old), delta, f"{name}.embeddings", progress=False)
    return delta, f"{name}.embeddings"


class Case(unittest.TestCase):
    def assert_error(self, text, call):
        with self.assertRaises(penchant.InputError) as raised:
            call()
        self.assertEqual(text, str(raised.exception))
