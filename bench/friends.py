# SPDX-License-Identifier: Apache-2.0
"""friends.py: what links between users are worth (docs/relations.md).

usage: friends.py [--program build/release/penchant] [--config examples/lastfm.toml] [--seeds 1 2 3] [--budget 60s] [--out FILE]

Trains the default recipe with the links and without them (graph.relation_weight = 0), per seed, and ranks the test part: NDCG@20
and Recall@20 of the lists that `penchant recommend --all-users` writes, by vectors and by the full score, over all users and over
those with at most five events that training may see. Beside them a ranking that knows friends alone: the number of a user's
friends who had an item, ties by popularity. Lists are judged here, with NumPy, and not by the program; its own NDCG@20 must agree.
Needs numpy and pyarrow; PENCHANT_DATA is the folder of the data."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

import numpy as np
import pyarrow.parquet as pq

import compare

K, FEW = 20, 5


def penchant(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def rows(data, part):
    return np.load(data / part / "user.npy"), np.load(data / part / "item.npy")


class Judge:
    def __init__(self, data):
        self.users = {raw: row for row, raw in enumerate(pq.read_table(data / "users.parquet")["raw_id"].to_pylist())}
        self.items = {raw: row for row, raw in enumerate(pq.read_table(data / "items.parquet")["raw_id"].to_pylist())}
        self.known, self.wanted = {}, {}
        for part in ("train", "validation"):
            for user, item in zip(*rows(data, part)):
                self.known.setdefault(int(user), set()).add(int(item))
        for user, item in zip(*rows(data, "test")):
            self.wanted.setdefault(int(user), set()).add(int(item))

    def metrics(self, lists):
        """`lists`: {user: items, best first}, in dense ids."""
        ndcg, recall, few = [], [], []
        for user, wanted in sorted(self.wanted.items()):
            hits = [item in wanted for item in lists.get(user, [])[:K]]
            gains = [1 / np.log2(place + 2) for place in range(K)]
            ndcg.append(sum(gain for gain, hit in zip(gains, hits) if hit) / sum(gains[:min(K, len(wanted))]))
            recall.append(sum(hits) / len(wanted))
            few.append(len(self.known.get(user, ())) <= FEW)
        few = np.array(few)
        return {"ndcg@20": float(np.mean(ndcg)), "recall@20": float(np.mean(recall)), "users": len(ndcg),
                "few_events": {"ndcg@20": float(np.mean(np.array(ndcg)[few])), "recall@20": float(np.mean(np.array(recall)[few])),
                               "users": int(few.sum())}}

    def read_lists(self, path):
        table = pq.read_table(path)
        lists = {}
        for user, item in zip(table["user_id"].to_pylist(), table["item_id"].to_pylist()):
            lists.setdefault(self.users[user], []).append(self.items[item])
        return lists

    def friends_popularity(self, data):
        """What most friends had."""
        offsets, columns = np.load(data / "links0.offsets.npy"), np.load(data / "links0.columns.npy")
        count = np.zeros(len(self.items))
        for items in self.known.values():
            count[list(items)] += 1
        popularity = count / (count.max() + 1)
        lists = {}
        for user in self.wanted:
            score = popularity.copy()
            for friend in columns[offsets[user]:offsets[user + 1]]:
                score[list(self.known.get(int(friend), ()))] += 1
            score[list(self.known.get(user, ()))] = -1
            lists[user] = np.argsort(-score, kind="stable")[:K].tolist()
        return self.metrics(lists)


def train(program, data, model, seed, budget, settings, judge):
    penchant(program, "train", data, "--out", model, "--seed", seed, "--budget", budget, "--quiet", *settings)
    report = json.loads(penchant(program, "evaluate", data, model, "--ranking", "full", "--quiet", "--json"))
    result = {"chosen": json.loads((model / "manifest.json").read_text()).get("chosen"),
              "weights": json.loads((model / "manifest.json").read_text())["graph_options"]["link_weights"]}
    for ranking in ("vectors", "full"):
        out = model.with_suffix(f".{ranking}.parquet")
        penchant(program, "recommend", data, model, "--all-users", "--k", K, "--ranking", ranking, "--out", out, "--quiet")
        result[ranking] = judge.metrics(judge.read_lists(out))
    stated = report["metrics"]["ndcg@20"]
    if abs(stated - result["vectors"]["ndcg@20"]) > 1e-4:
        raise SystemExit(f"penchant evaluate says {stated} of vectors, the lists have {result['vectors']['ndcg@20']}")
    return result


def ratios(runs):
    """With links over without, median of the seeds."""
    found = {}
    for ranking in ("vectors", "full"):
        for name, value in (("all", lambda m: m["ndcg@20"]), ("few_events", lambda m: m["few_events"]["ndcg@20"])):
            each = [value(run["with"][ranking]) / value(run["without"][ranking]) for run in runs]
            found[f"{ranking}_{name}"] = {"median": statistics.median(each), "seeds": each}
    return found


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=root / "build/release/penchant")
    parser.add_argument("--config", default=root / "examples/lastfm.toml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--out", default=root / "bench/results/friends.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = folder / "x.data"
        penchant(options.program, "ingest", "--config", options.config, "--out", data, "--quiet")
        judge = Judge(data)
        runs = []
        for seed in options.seeds:
            run = {"seed": seed}
            for name, settings in (("with", []), ("without", ["--set", "graph.relation_weight=0"])):
                run[name] = train(options.program, data, folder / f"{name}{seed}.model", seed, options.budget, settings, judge)
            print(json.dumps({name: {ranking: run[name][ranking] for ranking in ("vectors", "full")} for name in ("with", "without")}))
            runs.append(run)
        result = {"budget": options.budget, "friends_popularity": judge.friends_popularity(data), "runs": runs,
                  "with_over_without": ratios(runs), "machine": compare.machine()}
    pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["with_over_without"], indent=1))


if __name__ == "__main__":
    main()
