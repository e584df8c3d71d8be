#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hides a tenth of an attribute's values before anything is made of the items, and tells them again: `penchant tag` beside the most
frequent value, label propagation, and scikit-learn's logistic regression on the same vectors and on TF-IDF of the title.

  tags.py all                 every case and seed, into bench/results/tags.json
  tags.py CASE --seed 1       one, into the same file

cases
  category           Complete Journey, product_category of the items with rows (20,897); the title is product_type
  category_no_type   the same where no item has a product_type (and no title): a sub-category says the category
  category_lost      the same where only the items that lost the category have lost the product_type too
  category_all       product_category of all 92,331 products of the catalogue, TF-IDF alone beside it
  brand              Complete Journey, brand (National or Private)
  brand_no_maker     the same without manufacturer_id, which says the brand
  beauty             Amazon Beauty, the list of attributes of an item
  CASE_seen          the same with a model that was trained on the attribute (what is left of it), as a shop's first model is
Needs PENCHANT_DATA, a release build, and numpy, scipy, scikit-learn, pandas and pyarrow (--peer-python where they are)."""
import argparse
import csv
import datetime
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from compare import ROOT, machine, run, run_watched  # noqa: E402

DATA = pathlib.Path(os.environ["PENCHANT_DATA"])
SHARE = 0.1
# A few passes without validation: what is compared is what is made of one and the same model.
TRAINING = ["--set", "model.kind=lightgcn", "--set", "train.validate_every=0"]
COUNTED = 20  # macro_f1_frequent: values of so many items or more, hidden or known
CASES = {"category": ("product_category", []), "category_no_type": ("product_category", ["product_type"]),
         "category_lost": ("product_category", []), "category_all": ("product_category", []),
         "brand": ("brand", []), "brand_no_maker": ("brand", ["manufacturer_id"]), "beauty": ("attributes", [])}
CASES |= {f"{name}_seen": case for name, case in list(CASES.items()) if name in ("category_no_type", "beauty")}


def hide_journey(work, case, seed):
    """products.csv with a tenth of the values gone; what they were; titles."""
    column, dropped = CASES[case]
    case = case.removesuffix("_seen")
    with open(DATA / "completejourney/transactions_sample.csv", newline="") as log:
        bought = {row["product_id"] for row in csv.DictReader(log)}
    with open(DATA / "completejourney/products.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if case == "category_all" or row["product_id"] in bought]
    draw = np.random.default_rng(seed).random(len(rows))
    truth, hidden, titles = {}, set(), {}
    for row, uniform in zip(rows, draw):
        item = row["product_id"]
        if row[column] != "NA":
            truth[item] = [row[column]]
            if uniform < SHARE:
                hidden.add(item)
                row[column] = "NA"
                if case == "category_lost":
                    row["product_type"] = "NA"
        titles[item] = row["product_type"].replace("NA", "")
        for name in dropped:
            row[name] = "NA"
    with open(work / "products.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    columns = [name for name in ("department", "product_category", "product_type", "brand", "manufacturer_id", "package_size")
               if name not in dropped]
    config = "".join(f'[[data.attributes]]\ncolumn = "{name}"\n' + ('kind = "text"\n' if name in ("product_type", "package_size") else "")
                     for name in columns)
    example = (ROOT / "examples/completejourney.toml").read_text()
    example = example[:example.index("[[data.attributes]]")].replace(
        "${PENCHANT_DATA:-../../shared/data}/completejourney/products.csv", str(work / "products.csv")).replace(
        "${PENCHANT_DATA:-../../shared/data}", str(DATA))
    (work / "data.toml").write_text(example + config)
    graph = [name for name in columns if name not in (column, "product_type", "package_size")]
    if "product_type" in dropped:
        titles = None
    return ["--config", work / "data.toml"], [f"graph.attributes={json.dumps(graph)}"], truth, hidden, titles


def hide_beauty(work, case, seed):
    stored = json.loads((DATA / "beauty/Beauty_item2attributes.json").read_text())
    names = sorted(stored)
    draw = np.random.default_rng(seed).random(len(names))
    hidden = {name for name, uniform in zip(names, draw) if uniform < SHARE}
    (work / "attributes.json").write_text(json.dumps({name: values for name, values in stored.items() if name not in hidden}))
    source = ["--format", "s3rec", "--sequences", DATA / "beauty/Beauty.txt", "--attributes", work / "attributes.json"]
    return source, ["graph.use_attributes=false"], {name: [str(v) for v in values] for name, values in stored.items()}, hidden, None


def expected_calibration_error(p, right):
    """15 bins of equal mass."""
    order = np.argsort(p, kind="stable")
    return float(sum(abs((p[part] - right[part]).sum()) for part in np.array_split(order, 15)) / max(len(p), 1))


def judge(truth, told, p, frequent):
    """truth, told [N x C] of 0 and 1, p [N x C]. Of one value an item the calibration of the value that is told, of a list that of
    each item's five likeliest values."""
    from sklearn.metrics import f1_score
    is_list = truth.sum(1).max() > 1
    both, either = (truth & told).sum(1), (truth | told).sum(1)
    f1 = lambda columns: float(f1_score(truth[:, columns], told[:, columns], average="macro", zero_division=0))
    present = (truth.sum(0) + told.sum(0)) > 0
    top = np.argsort(-p, axis=1, kind="stable")[:, :5] if is_list else told.argmax(1)[:, None]
    rows = np.arange(len(p))[:, None]
    return {"accuracy": float(np.mean(both / np.maximum(either, 1))), "macro_f1": f1(present),
            "macro_f1_frequent": f1(frequent & present),
            "calibration_error": expected_calibration_error(p[rows, top].ravel(), truth[rows, top].ravel())}


def ours(work, penchant, settings, attribute, items, values, is_list, report):
    """p and told [hidden x C] of what tag writes: all values of a list above nothing, and those by its own rule."""
    place = {item: i for i, item in enumerate(items)}
    column = {value: i for i, value in enumerate(values)}
    (work / "hidden.txt").write_text("\n".join(items) + "\n")

    def told_by(*threshold):
        text, seconds, peak = run_watched([penchant, "tag", work / "x.data", work / "x.model", "--attribute", attribute, "--items", work / "hidden.txt",
                                           "--out", work / "tags.parquet", "--json", "--quiet", *threshold])
        table = pq.read_table(work / "tags.parquet").to_pydict()
        p = np.zeros((len(items), len(values)), np.float32)
        for item, value, probability in zip(table["item_id"], table["value"], table["probability"]):
            if value != "":
                p[place[item], column[value]] = probability
        return p, json.loads(text), seconds, peak

    p, facts, seconds, peak = told_by("--threshold", "0")
    told = (p > 0).astype(np.int8)
    if is_list:
        told = (told_by()[0] > 0).astype(np.int8)
    report |= {"seconds": seconds, "peak_anonymous_bytes": peak, "facts": {key: value for key, value in facts.items() if key != "out"}}
    return p, told


def bench_case(case, seed, options, settings):
    attribute, _ = CASES[case]
    is_list = case.startswith("beauty")
    with tempfile.TemporaryDirectory(prefix="penchant-tags-") as folder:
        work = pathlib.Path(folder)
        penchant = options.build / "penchant"
        source, graph, truth, hidden, titles = (hide_beauty if is_list else hide_journey)(work, case, seed)
        if case.endswith("_seen"):
            graph = []
        run([penchant, "ingest", *source, "--out", work / "x.data", "--quiet"])
        if is_list:
            attribute = next(name for name in pq.read_schema(work / "x.data/items.parquet").names
                             if name not in ("raw_id", "count", "first_time_ms", "last_time_ms"))
        start = time.perf_counter()
        run([penchant, "train", work / "x.data", "--out", work / "x.model", "--quiet", *TRAINING, "--set", f"train.epochs={options.epochs}",
             *[word for setting in graph for word in ("--set", setting)]])
        report = {"train_epochs": options.epochs, "train_seconds": time.perf_counter() - start, "hidden": len(hidden), "known": len(truth) - len(hidden)}
        run([penchant, "embed", work / "x.data", work / "x.model", "--out", work / "x.embeddings", "--format", "npy", "--quiet"])
        ids = [json.loads(line) for line in open(work / "x.embeddings/items.ids.jsonl")]
        manifest = json.loads((work / "x.embeddings/manifest.json").read_text())
        vectors = np.load(work / "x.embeddings/items.npy")
        if manifest["popularity_column"]:
            vectors = vectors[:, :-1]
        keep = [i for i, item in enumerate(ids) if item in truth]
        vectors = vectors[keep] / np.maximum(np.linalg.norm(vectors[keep], axis=1, keepdims=True), 1e-12)
        items = [ids[i] for i in keep]
        values = sorted({value for item in items for value in truth[item]})
        column = {value: i for i, value in enumerate(values)}
        pairs = [(i, column[value]) for i, item in enumerate(items) for value in set(truth[item])]  # lists may name a value twice
        labels = sp.csr_matrix((np.ones(len(pairs), np.int8), tuple(zip(*pairs))), shape=(len(items), len(values)))
        mask = np.array([item in hidden for item in items])
        asked = [item for item in items if item in hidden]
        p, told = ours(work, penchant, settings, attribute, asked, values, is_list, report)
        true = labels[mask].toarray()
        frequent = np.asarray(labels.sum(0)).ravel() >= COUNTED
        report |= {"values": len(values), "frequent_values": int(frequent.sum()), "penchant": judge(true, told, p, frequent)}
        if options.no_peers:
            return report, None
        np.save(work / "vectors.npy", vectors)
        sp.save_npz(work / "labels.npz", labels)
        np.save(work / "hidden.npy", mask)
        if titles is not None:
            (work / "texts.json").write_text(json.dumps([titles[item] for item in items]))
        (work / "facts.json").write_text(json.dumps({"list": is_list, "seed": seed, "settings": settings}))
        run([options.peer_python, ROOT / "bench/peers/tags.py", work], env=os.environ | {"OMP_NUM_THREADS": str(options.threads)})
        for found in sorted(work.glob("l*.npz")) + sorted(work.glob("m*.npz")):
            if found.stem in ("labels",):
                continue
            stored = np.load(found)
            report[found.stem] = judge(true, stored["told"], stored["p"], frequent)
        return report, json.loads((work / "settings.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["all", *CASES])
    parser.add_argument("--seed", type=int, action="append", help="of hiding: 1, 2 and 3 without it")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=8, help="of the model")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/tags.json")
    options = parser.parse_args()
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    facts = json.loads(run([options.build / "penchant", "info", "--json"])[0])
    facts["cuda"] = facts["cuda"].split(" (")[0]  # without this machine's paths
    result |= {"bench": "tags", "date": datetime.date.today().isoformat(), "commit": commit, "machine": machine(), "penchant": facts,
               "peers": {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")},
               "hidden_share": SHARE, "frequent": COUNTED}
    for case in CASES if options.case == "all" else [options.case]:
        of_case = result.setdefault("cases", {}).setdefault(case, {"settings": None, "seeds": {}})
        for seed in options.seed or (1, 2, 3):
            report, found = bench_case(case, seed, options, of_case["settings"])
            of_case["settings"] = found or of_case["settings"]  # of the peers: found with the first seed
            of_case["seeds"][str(seed)] = of_case["seeds"].get(str(seed), {}) | report
            print(case, seed, json.dumps({name: value for name, value in report.items() if isinstance(value, dict) and "accuracy" in value}), flush=True)
            options.out.write_text(json.dumps(result, indent=2) + "\n")
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
