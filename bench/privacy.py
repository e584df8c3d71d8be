#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges private models (docs/privacy_differential.md): writes bench/results/privacy.json.

  quality     Gowalla in LightGCN's split, its items listed in an item table, and Complete Journey: Recall@20 on test at
              epsilon 8, 4, 1 and 1e6 with all rows (the same model without privacy), delta = 0.99 / users, three seeds, noise anew
              each time; popularity beside
  accounting  dp-accounting's epsilon (exact, and by privacy loss distributions) for the 30 settings of
              tests/pipeline/privacy/gaussian_accounting_test.cc
  attacks     a model of half of the users. Membership: whose mean score of own items is above a threshold is said to be in the
              data; the threshold is chosen on half of the users of each side, the advantage (true minus false positive rate) judged
              on the other half. Reconstruction: from the vector of a user's rarest item, how many of the user's other items are among
              the 20 nearest; of members less of the other users, so that what is common to people alike is taken away

Needs PENCHANT_DATA, a release build, numpy; accounting: dp-accounting (0.6.0).

  privacy.py --build build/release [--only gowalla completejourney accounting] [--seeds 1 2 3] [--out FILE]
"""
import argparse
import csv
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
from compare import machine, run  # noqa: E402

EPSILONS = (8, 4, 1)
WITHOUT = ["--epsilon", "1e6", "--set", "privacy.max_rows_per_user=100000"]
SETTINGS = [(sigma, count, delta)
            for sigma, count in ((0.3, 1), (0.62, 1), (1.0, 1), (1.08, 4), (2.0, 1), (3.7, 4), (5.0, 16), (10.0, 1), (20.0, 100), (50.0, 2))
            for delta in (1e-5, 1e-6, 1e-9)]


def gowalla(work, keep=None):
    """Configuration of ingest with a table of all 40,981 items. `keep`: of users to have, or all."""
    source = pathlib.Path(os.environ["PENCHANT_DATA"]) / "gowalla"
    items = set()
    for part in ("train", "test"):
        with open(source / f"{part}.txt") as lines, open(work / f"{part}.csv", "w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["user", "item"])
            for line in lines:
                user, *own = line.split()
                items.update(own)
                if keep is None or int(user) in keep:
                    rows.writerows([user, item] for item in own)
    (work / "items.csv").write_text("item\n" + "\n".join(sorted(items, key=int)) + "\n")
    (work / "gowalla.toml").write_text(f"""[data]
log = ["{work}/train.csv"]
test = ["{work}/test.csv"]
out = "{work}/x.data"
[data.columns]
user = "user"
item = "item"
time = ""
[data.items]
table = ["{work}/items.csv"]
[data.split]
method = "given"
""")
    return work / "gowalla.toml", []


def completejourney(work, keep=None):
    """The example, without rows of products that are not in its table. `keep`: of households to have, or all."""
    sets = ["--set", "data.items.only_listed=true", "--set", f"data.out={work}/x.data"]
    folder = pathlib.Path(os.environ["PENCHANT_DATA"]) / "completejourney"
    with open(folder / "transactions_sample.csv") as lines, open(work / "log.csv", "w", newline="") as out:
        rows = csv.DictReader(lines)
        kept = csv.DictWriter(out, rows.fieldnames)
        kept.writeheader()
        kept.writerows(row for row in rows if keep is None or int(row["household_id"]) in keep)
    return ROOT / "examples/completejourney.toml", ["--set", f'data.log=["{work}/log.csv"]', *sets]


def say(command):
    return json.loads(run(command)[0])


def train(penchant, work, users, seed, arguments, out="x.model"):
    run([penchant, "train", work / "x.data", "--out", work / out, "--seed", seed, "--delta", 0.99 / users, "--set",
         "privacy.total_epsilon=1e9", "--quiet", *arguments])
    return json.loads((work / out / "manifest.json").read_text())


def recall(penchant, work, out="x.model"):
    said = say([penchant, "evaluate", work / "x.data", work / out, "--json", "--quiet"])
    return said["metrics"]["recall@20"], said["popularity_metrics"]["recall@20"]


def quality(penchant, make, seeds):
    work = pathlib.Path(tempfile.mkdtemp(prefix="penchant-privacy-"))
    config, sets = make(work)
    ingested = say([penchant, "ingest", "--config", config, *sets, "--json", "--quiet"])
    users = ingested["num_users"]
    result = {"users": users, "items": ingested["num_items"], "delta": 0.99 / users}
    runs = {str(e): ["--epsilon", str(e)] for e in EPSILONS} | {"without": WITHOUT,
            "without_64": WITHOUT + ["--set", "model.embedding_dim=64"]}
    for name, arguments in runs.items():
        values = []
        for seed in seeds:
            manifest = train(penchant, work, users, seed, arguments)
            value, popularity = recall(penchant, work)
            values.append(value)
            result["popularity"] = popularity
        result[name] = {"recall@20": values, "mean": statistics.mean(values)}
        if name in map(str, EPSILONS):
            result[name]["accounted_epsilon"] = manifest["privacy"]["accounted_epsilon"]
            result[name]["mechanisms"] = manifest["privacy"]["mechanisms"]
        print(name, values, file=sys.stderr)
    for name in map(str, EPSILONS):
        result[name]["over_without"] = result[name]["mean"] / result["without"]["mean"]
        result[name]["over_without_64"] = result[name]["mean"] / result["without_64"]["mean"]
    shutil.rmtree(work)
    return result


class Published:
    """What an attacker has: the model's folder."""

    def __init__(self, folder):
        raw = (folder / "weights.safetensors").read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8:8 + size])

        def tensor(name):
            begin, end = header[name]["data_offsets"]
            return np.frombuffer(raw[8 + size + begin:8 + size + end], "<f4").reshape(header[name]["shape"]).astype(np.float64)
        self.vectors = tensor("item_vectors")
        self.popularity = tensor("popularity").ravel()
        ids = [json.loads(line) for line in (folder / "items.ids.jsonl").read_text().splitlines()]
        self.row = {raw_id: k for k, raw_id in enumerate(ids)}
        self.power = json.loads((folder / "manifest.json").read_text())["model"]["item_power"]

    def own_score(self, items):
        vectors = self.vectors[items]
        taste = (self.popularity[items, None] ** -self.power * vectors[:, :-1]).sum(0)
        taste /= max(np.linalg.norm(taste), 1e-12)
        return float((vectors[:, :-1] @ taste).mean())


def histories(path, user, item):
    own = {}
    with open(path) as lines:
        for row in csv.DictReader(lines):
            own.setdefault(int(row[user]), set()).add(row[item])
    return own


def advantage(members, others):
    """Of the threshold that is best on the first half of each side, judged on the second."""
    def rates(side, threshold):
        return (np.asarray(side) >= threshold).mean()
    seen, judged = [m[::2] for m in (members, others)], [m[1::2] for m in (members, others)]
    thresholds = np.quantile(np.concatenate(seen), np.linspace(0, 1, 201))
    best = max(thresholds, key=lambda t: abs(rates(seen[0], t) - rates(seen[1], t)))
    sign = np.sign(rates(seen[0], best) - rates(seen[1], best))
    return float(sign * (rates(judged[0], best) - rates(judged[1], best)))


def reconstructed(published, own, rarity, width=20):
    hits = []
    unit = published.vectors[:, :-1] / np.maximum(np.linalg.norm(published.vectors[:, :-1], axis=1, keepdims=True), 1e-12)
    for items in own:
        if len(items) < 5:
            continue
        rarest = min(items, key=lambda k: (rarity[k], k))
        score = unit @ unit[rarest]
        score[rarest] = -np.inf
        nearest = np.argpartition(-score, width)[:width]
        hits.append(len(set(nearest) & set(items)) / min(width, len(items) - 1))
    return float(np.mean(hits))


def attacks(penchant, make, log, user, item, seeds):
    work = pathlib.Path(tempfile.mkdtemp(prefix="penchant-privacy-"))
    make(work)
    own = histories(work / log, user, item)
    order = np.random.default_rng(1).permutation(sorted(own))
    members, others = order[::2], order[1::2]
    config, sets = make(work, set(map(int, members)))
    users = say([penchant, "ingest", "--config", config, *sets, "--set", "data.split.validation_fraction=0", "--json", "--quiet"])["num_users"]
    # Of an attacker who knows all rows, also those that ingest held out as test: the cautious reading.
    result = {"members": len(members), "others": len(others), "delta": 0.99 / users}
    epsilon, delta = 4.0, 0.99 / users
    result["bound_at_4"] = (np.exp(epsilon) - 1 + 2 * delta) / (np.exp(epsilon) + 1)
    for name, arguments in {"4": ["--epsilon", "4"], "1": ["--epsilon", "1"], "without": WITHOUT,
                            "without_64": WITHOUT + ["--set", "model.embedding_dim=64"]}.items():
        found = {"membership_advantage": [], "reconstruction_gain": []}
        for seed in seeds:
            train(penchant, work, users, seed, arguments)
            published = Published(work / "x.model")
            rows = {u: [published.row[i] for i in sorted(own[u]) if i in published.row] for u in order}
            rarity = np.zeros(len(published.row))
            for u in order:
                rarity[rows[u]] += 1
            score = {side: np.array([published.own_score(rows[u]) for u in us]) for side, us in (("in", members), ("out", others))}
            found["membership_advantage"].append(advantage(score["in"], score["out"]))
            sample = 1000
            found["reconstruction_gain"].append(reconstructed(published, [rows[u] for u in members[:sample]], rarity)
                                                - reconstructed(published, [rows[u] for u in others[:sample]], rarity))
        result[name] = found
        print("attack", name, found, file=sys.stderr)
    shutil.rmtree(work)
    return result


def accounting():
    import importlib.metadata
    import dp_accounting
    from dp_accounting.pld import PLDAccountant
    listed = re.findall(r"\{([\d.e-]+), (\d+), ([\d.e-]+), ([\d.]+)\}", (ROOT / "tests/pipeline/privacy/gaussian_accounting_test.cc").read_text())
    stored = {(float(s), int(c), float(d)): float(e) for s, c, d, e in listed}
    rows = []
    for sigma, count, delta in SETTINGS:
        exact = dp_accounting.get_epsilon_gaussian(sigma / count ** 0.5, delta)
        accountant = PLDAccountant()
        accountant.compose(dp_accounting.GaussianDpEvent(sigma), count)
        rows.append({"sigma": sigma, "count": count, "delta": delta, "exact": exact, "pld": accountant.get_epsilon(delta),
                     "in_test": stored[(sigma, count, delta)]})
    return {"version": importlib.metadata.version("dp-accounting"), "settings": rows,
            "largest_difference_from_test": max(abs(r["in_test"] / r["exact"] - 1) for r in rows),
            "largest_difference_of_pld": max(abs(r["pld"] / r["exact"] - 1) for r in rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--only", nargs="*", default=["accounting", "completejourney", "gowalla"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/privacy.json")
    options = parser.parse_args()
    penchant = options.build / "penchant"
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {"machine": machine(), "commit": commit, "date": datetime.date.today().isoformat(), "seeds": options.seeds,
             "numpy": np.__version__, "python": sys.version.split()[0]}
    made = {"gowalla": (gowalla, "train.csv", "user", "item"), "completejourney": (completejourney, "log.csv", "household_id", "product_id")}
    for name in options.only:
        if name == "accounting":
            results[name] = accounting() | {"about": about}
        else:
            make, log, user, item = made[name]
            results[name] = {"quality": quality(penchant, make, options.seeds),
                             "attacks": attacks(penchant, make, log, user, item, options.seeds), "about": about}
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
