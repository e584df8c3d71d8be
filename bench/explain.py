#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `penchant explain` by deletion: writes bench/results/explain.json.

For (user, item) pairs, the item one of the model's top 20 for the user, who has at least 8 distinct items: the three items of the
user's that are named as reasons (and, as `..._by_lead` and `..._by_share`, those with the largest leads and shares) are taken out of the history, with all their events, and so are three random ones, for three seeds.
The item is ranked anew each time, by the score of the shortened history, among all items that the user did not have at first (all
items where the data set repeats items). A deletion "lowers more" where the item's rank is lower than after the random one; equal
ranks count as not lowering, and so do two ranks beyond the first 2,000. `with_scores` settles equal ranks within these, mostly first
places kept by both, by how many standard deviations the score is above the mean of the 2,000.

Needs PENCHANT_DATA, a release build with the Python module, numpy and pyarrow.

  explain.py --build build/release [--only gowalla beauty completejourney] [--pairs 1000] [--out FILE]
"""
import argparse
import datetime
import functools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
from compare import machine, run  # noqa: E402

SEEDS = (1, 2, 3)
DELETED = 3
FEWEST = 8
ITEMS_OF_A_USER = 4
DEPTH = 2000


def ingest_and_train(penchant, work, name):
    """Folders of the data set and the model, and the settings of training."""
    folder = pathlib.Path(os.environ["PENCHANT_DATA"])
    data, model = work / f"{name}.data", work / f"{name}.model"
    train = ["--budget", "60s"]
    if name == "gowalla":
        run([penchant, "ingest", "--format", "lightgcn", "--train", folder / "gowalla/train.txt", "--test",
             folder / "gowalla/test.txt", "--out", data, "--quiet"])
    elif name == "beauty":
        run([penchant, "ingest", "--format", "s3rec", "--sequences", folder / "beauty/Beauty.txt", "--attributes",
             folder / "beauty/Beauty_item2attributes.json", "--out", data, "--quiet"])
        train = ["--set", "model.kind=interest", "--set", "train.epochs=4"]
    else:
        config = ROOT / "examples/completejourney.toml"
        run([penchant, "ingest", "--config", config, "--out", data, "--quiet"])
    run([penchant, "train", data, "--out", model, "--quiet", *train])
    return data, model, " ".join(train)


def histories(data):
    """Items of each user's training and validation rows in their order, by dense ids."""
    import numpy as np
    users, items, times = [], [], []
    for part in ("train", "validation"):
        users.append(np.load(data / part / "user.npy"))
        items.append(np.load(data / part / "item.npy"))
        path = data / part / "time_ms.npy"
        times.append(np.load(path) if path.exists() else np.zeros(len(users[-1]), np.int64))
    users, items, times = (np.concatenate(columns) for columns in (users, items, times))
    order = np.lexsort((times, users))  # stable
    users, items = users[order], items[order]
    bounds = np.searchsorted(users, np.arange(users.max() + 2))
    return [items[first:last] for first, last in zip(bounds, bounds[1:])]


class Deletion:
    def __init__(self, data, model, ranking):
        import numpy as np

        import penchant
        self.np = np
        self.model = penchant.Model(model, data, threads=1)
        self.ranking = ranking
        self.item_ids = np.array(self.model.item_ids.to_pylist(), dtype=object)
        self.user_ids = self.model.user_ids.to_pylist()
        self.row = {raw: row for row, raw in enumerate(self.item_ids)}
        self.keeps_seen = json.loads((pathlib.Path(data) / "manifest.json").read_text())["repeats_allowed"]

    def place(self, history, item, had):
        """Rank from 1 of an item among those not in `had` (of equal scores half stand before it), and its standard score."""
        table = self.model.recommend(history=[self.item_ids[one] for one in history], k=min(DEPTH + len(had), len(self.item_ids)),
                                     seen="keep", ranking=self.ranking, progress=False)
        scores = table["score"].to_numpy()
        rows = [self.row[raw] for raw in table["item_id"].to_pylist()]
        counts = self.np.array([row not in had for row in rows])
        own = [score for row, score in zip(rows, scores) if row == item]
        if not own:
            return DEPTH + 1, 0.0
        scores = scores[counts]
        return 1 + (scores > own[0]).sum() + 0.5 * ((scores == own[0]).sum() - 1), (own[0] - scores.mean()) / max(scores.std(), 1e-12)

    def pair(self, user, history, item):
        """What taking items out does to one pair."""
        np = self.np
        distinct = np.unique(history)
        had = set() if self.keeps_seen else set(distinct.tolist())
        start = time.perf_counter()
        told = self.model.explain(self.user_ids[user], self.item_ids[item], ranking=self.ranking, top=len(distinct), progress=False)
        seconds = time.perf_counter() - start
        shares = {self.row[had["item"]]: had["share"] for had in told["history"]}
        assert set(shares) == set(distinct.tolist()), "the history is not what the explanation has"
        total = sum(shares.values()) + sum(told["parts"].values())
        size = sum(map(abs, shares.values())) + sum(map(abs, told["parts"].values()))
        leads = {self.row[had["item"]]: had["lead"] for had in told["history"]}
        largest = lambda by: sorted(by, key=lambda one: -by[one])[:DELETED]
        without = lambda gone: self.place(history[~np.isin(history, gone)], item, had)
        reasons = [self.row[had["item"]] for had in told["history"] if had["reason"]]
        assert len(reasons) == DELETED
        deleted = {"": without(reasons), "_by_lead": without(largest(leads)), "_by_share": without(largest(shares))}
        wins, ties, settled = ({by: [] for by in deleted} for _ in range(3))
        for seed in SEEDS:
            random = np.random.default_rng([seed, user, item])
            by_chance = without(random.choice(distinct, DELETED, replace=False))
            for by, place in deleted.items():
                wins[by].append(place[0] > by_chance[0])
                ties[by].append(place[0] == by_chance[0])
                settled[by].append(wins[by][-1] or (ties[by][-1] and place[1] < by_chance[1]))
        return {"seconds": seconds, "ratio": total / told["score"] if told["score"] else None, "method": told["method"],
                "residual_of_all": abs(told["residual"]) / size, "beyond": told["parts"]["beyond_history"] / (told["score"] or 1),
                "wins": wins, "ties": ties, "settled": settled}


def judge(data, model, ranking, num_pairs, save):
    """Calls save with what is known after every 100 pairs and at the end."""
    import numpy as np
    deletion = Deletion(data, model, ranking)
    all_histories = histories(pathlib.Path(data))
    able = [user for user, items in enumerate(all_histories) if len(np.unique(items)) >= FEWEST]
    random = np.random.default_rng(0)
    users = random.permutation(able)
    pairs = []
    for user in map(int, users):
        best = deletion.model.recommend(deletion.user_ids[user], k=20, ranking=ranking, progress=False)["item_id"].to_pylist()
        for item in random.choice(best, ITEMS_OF_A_USER, replace=False):
            pairs.append(deletion.pair(user, all_histories[user], deletion.row[item]))
        if len(pairs) % 100 == 0 or len(pairs) >= num_pairs:
            save(summary_of(pairs, ranking))
        if len(pairs) >= num_pairs:
            return


def summary_of(pairs, ranking):
    import numpy as np
    by_seed = lambda key, by="": [float(np.mean([pair[key][by][seed] for pair in pairs])) for seed in range(len(SEEDS))]
    ratios = [pair["ratio"] for pair in pairs if pair["ratio"] is not None]
    means = {f"mean_{name}{by}": statistics.mean(by_seed(key, by)) for by in ("", "_by_lead", "_by_share")
             for name, key in (("lowers_more", "wins"), ("with_scores", "settled"))}
    return {"pairs": len(pairs), "users": len(pairs) // ITEMS_OF_A_USER, "ranking": ranking, "method": pairs[0]["method"],
            "lowers_more": by_seed("wins"), "equal_ranks": by_seed("ties"), "with_scores": by_seed("settled"), **means,
            "largest_error_of_sum": max(abs(1 - ratio) for ratio in ratios),
            "median_error_of_sum": statistics.median(abs(1 - ratio) for ratio in ratios),
            "largest_residual_of_all_shares": max(pair["residual_of_all"] for pair in pairs),
            "median_share_beyond_history": statistics.median(pair["beyond"] for pair in pairs),
            "median_seconds": statistics.median(pair["seconds"] for pair in pairs)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--only", nargs="*", default=["gowalla", "completejourney", "beauty"])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--rankings", nargs="*", default=["vectors", "full"])
    parser.add_argument("--work", type=pathlib.Path, help="folder of data sets and models, which are taken if they are there")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/explain.json")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="penchant-explain-"))
    work.mkdir(parents=True, exist_ok=True)
    penchant = options.build / "penchant"
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()

    def save(name, found, ranking, judged):
        import numpy
        import pyarrow
        found["rankings"][ranking] = judged
        print(name, ranking, judged["pairs"], judged["mean_lowers_more"], judged["mean_with_scores"], file=sys.stderr, flush=True)
        found |= {"machine": machine(), "commit": commit, "date": datetime.date.today().isoformat(), "seeds": SEEDS,
                  "versions": {"python": sys.version.split()[0], "numpy": numpy.__version__, "pyarrow": pyarrow.__version__}}
        results[name] = found
        options.out.write_text(json.dumps(results, indent=1) + "\n")

    for name in options.only:
        data, model, trained = work / f"{name}.data", work / f"{name}.model", work / f"{name}.trained"
        if not trained.exists():
            trained.write_text(ingest_and_train(penchant, work, name)[2])
        found = results.get(name, {"rankings": {}}) | {"train": trained.read_text()}
        for ranking in options.rankings if name != "beauty" else ["vectors"]:
            judge(data, model, ranking, options.pairs, functools.partial(save, name, found, ranking))


if __name__ == "__main__":
    main()
