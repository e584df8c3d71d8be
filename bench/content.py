# SPDX-License-Identifier: Apache-2.0
"""content.py: what vectors of texts are worth for items that nobody has touched (docs/content.md).

usage: content.py [--program build/release/penchant] [--cases online-retail completejourney] [--variants ...] [--seeds 1 2 3]
                  [--budget 60s] [--encoded FOLDER] [--out FILE]

A tenth of the items loses all its rows before anything is made of them (data.split.method = "hidden_items", by seed); the default
recipe is trained, once a seed, with
  attributes  categories alone: Online Retail has the price, in bands of half an octave; Complete Journey department, category,
              brand and manufacturer
  words       the same, and the words of the title as a list attribute, which needs no vectors
  hashed      attributes, and vectors of the title that ingest makes itself (text = [...])
  encoded     attributes, and vectors of the title by penchant.text_vectors (all-MiniLM-L6-v2)
  both        words, and vectors by text_vectors
Recall@20 of the vectors that `embed` writes, among the hidden items, mean over users with a hidden item, is computed here with
NumPy. Titles: Description; product_category, product_type and package_size. `encoded` needs `pip install 'penchant[text]'` in the
Python that runs this, or files CASE.parquet (raw_id, vector) that one wrote in --encoded. Results are added to those in --out.
PENCHANT_DATA is the folder of the data."""
import argparse
import csv
import datetime
import gzip
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import compare
import hidden_items

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = pathlib.Path(os.environ.get("PENCHANT_DATA", "shared/data"))
VARIANTS = ("attributes", "words", "hashed", "encoded", "both")


def online_retail():
    """Names of columns, rows (item, title, price), and the configuration of the log."""
    seen = {}
    with gzip.open(FOLDER / "online-retail/OnlineRetail.csv.gz", "rt") as log:
        for row in csv.DictReader(log):
            if float(row["Quantity"]) > 0 and not row["InvoiceNo"].startswith("C") and row["CustomerID"]:
                price = max(float(row["UnitPrice"]), 0.01)
                seen.setdefault(row["StockCode"], (row["StockCode"], row["Description"].strip(), f"p{round(2 * math.log2(price))}"))
    log = f"""[data]
log = [{json.dumps(str(FOLDER / "online-retail/OnlineRetail.csv.gz"))}]
filters = ["Quantity > 0", "InvoiceNo not_prefix C"]
columns = {{user = "CustomerID", item = "StockCode", time = "InvoiceDate", session = "InvoiceNo"}}
"""
    return ("item", "title", "price"), list(seen.values()), log


def completejourney():
    columns = ("department", "product_category", "brand", "manufacturer_id")
    texts = ("product_category", "product_type", "package_size")
    rows = []
    with open(FOLDER / "completejourney/products.csv") as table:
        for row in csv.DictReader(table):
            title = " ".join(row[name] for name in texts if row[name] != "NA")
            rows.append((row["product_id"], title, *(row[name] for name in columns)))
    log = f"""[data]
log = [{json.dumps(str(FOLDER / "completejourney/transactions_sample.csv"))}]
filters = ["quantity > 0"]
missing = ["NA"]
columns = {{user = "household_id", item = "product_id", time = "transaction_timestamp", session = "basket_id"}}
"""
    return ("item", "title", *columns), rows, log


CASES = {"online-retail": online_retail, "completejourney": completejourney}


def encode(rows, out):
    if out.exists():
        return
    try:
        import penchant
    except ImportError:
        sys.path.insert(0, str(ROOT / "build/release/python"))
        import penchant
    penchant.text_vectors([row[0] for row in rows], [row[1] for row in rows], out)


def configuration(folder, names, log, variant, encoded):
    text = log + f"""[data.items]
table = [{json.dumps(str(folder / "items.csv"))}]
key = "item"
"""
    if variant == "hashed":
        text += '[[data.items.vectors]]\nname = "look"\ntext = ["title"]\n'
    if variant in ("encoded", "both"):
        text += f'[[data.items.vectors]]\nname = "look"\nfile = {json.dumps(str(encoded))}\n'
    for name in names[2:]:
        text += f'[[data.attributes]]\ncolumn = "{name}"\n'
    text += '[[data.attributes]]\ncolumn = "title"\n'
    text += 'kind = "list"\nseparator = " "\n' if variant in ("words", "both") else 'kind = "text"\n'
    path = folder / f"{variant}.toml"
    path.write_text(text)
    return path


def measure(program, config, folder, seed, budget):
    data, model, out = folder / "x.data", folder / "x.model", folder / "x.embeddings"

    def call(verb, *arguments):
        subprocess.run([program, verb, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)

    call("ingest", "--config", config, "--out", data, "--set", "data.split.method=hidden_items", "--set", "data.split.test_fraction=0.1",
         "--set", f"data.split.seed={seed}")
    call("train", data, "--out", model, "--seed", seed, *(["--budget", budget] if budget else []))
    call("embed", data, model, "--out", out, "--format", "npy")
    _, items = hidden_items.read(data, "test")
    hidden = np.unique(items)
    users, table = hidden_items.vectors(out)
    recall, num_users = hidden_items.recall_at_20(lambda user: table[hidden] @ users[user], data, hidden)
    manifest = json.loads((model / "manifest.json").read_text())
    return {"recall@20": recall, "users": num_users, "hidden": len(hidden), "validation": manifest["validation"],
            "new_items_by": manifest["model"].get("distillation", {}).get("new_items_by")}


def over_attributes(runs):
    """Of each variant, the median of the seeds of its recall over that of attributes alone."""
    base = runs.get("attributes", {})
    ratios = {name: [each[seed]["recall@20"] / base[seed]["recall@20"] for seed in each if seed in base]
              for name, each in runs.items() if name != "attributes"}
    return {name: {"median": statistics.median(each), "seeds": each} for name, each in ratios.items() if each}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/release/penchant")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--budget", default="")
    parser.add_argument("--encoded", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/content.json")
    options = parser.parse_args()
    result = json.loads(options.out.read_text()) if options.out.exists() else {"cases": {}}
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    result |= {"date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(), "budget": options.budget or "default",
               "machine": compare.machine()}
    for case in options.cases:
        names, rows, log = CASES[case]()
        found = result["cases"].setdefault(case, {})
        runs = found.setdefault("runs", {})
        for seed in options.seeds:
            for variant in options.variants:
                with tempfile.TemporaryDirectory() as folder:
                    folder = pathlib.Path(folder)
                    with open(folder / "items.csv", "w", newline="") as table:
                        csv.writer(table).writerows([names, *rows])
                    encoded = (options.encoded or folder) / f"{case}.parquet"
                    if variant in ("encoded", "both"):
                        encode(rows, encoded)
                    config = configuration(folder, names, log, variant, encoded)
                    measured = measure(options.program, config, folder, seed, options.budget)
                runs.setdefault(variant, {})[str(seed)] = measured
                print(case, seed, variant, json.dumps(measured), flush=True)
                found["over_attributes"] = over_attributes(runs)
                options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
