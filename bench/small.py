#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`penchant compress`: what smaller vectors and an int8 LSTM lose, on validation as the verb says it and on test from the files that it wrote.

  small.py vectors     int8 and pq of Gowalla, Complete Journey and Online Retail
  small.py network     an int8 LSTM on Amazon Beauty, three seeds
  small.py speed       one recurrent layer, float32 and int8, batches of 1 and 64 by turns
  small.py all         the three, into bench/results/small_models.json

Models are trained into --work, where they stay; what is there is not trained again. Needs PENCHANT_DATA, a release build with
bench/recurrent_bench, and numpy."""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from compare import ROOT, machine, run, run_watched  # noqa: E402

# Vectors alone, and validation not learned from, so that what it says is what the verb's choices may go by.
CASES = {"gowalla": ("gowalla-vectors", ["train.epochs=8"]), "completejourney": ("completejourney", []), "online-retail": ("online-retail", [])}
K = 20


def prepared(options, case):
    """Data set and model of a case, made where they are missing."""
    example, settings = CASES[case]
    data, model = options.work / f"{case}.data", options.work / f"{case}.model"
    config = ROOT / f"examples/{example}.toml"
    os.environ.setdefault("PENCHANT_OUT", str(options.work))
    if not (data / "manifest.json").exists():
        run([options.penchant, "ingest", "--config", config, "--out", data, "--quiet"])
    if not (model / "manifest.json").exists():
        words = [word for setting in ["train.refit=false", *settings] for word in ("--set", setting)]
        run([options.penchant, "train", "--config", config, data, "--out", model, "--quiet", *words])
    return data, model


def sets_of(data, parts, num_users):
    """Items of each user in these parts, ascending and distinct."""
    users = np.concatenate([np.load(data / part / "user.npy") for part in parts]).astype(np.int64)
    items = np.concatenate([np.load(data / part / "item.npy") for part in parts]).astype(np.int64)
    pairs = np.unique(np.stack([users, items], 1), axis=0)
    first = np.searchsorted(pairs[:, 0], np.arange(num_users + 1))
    return [pairs[first[u]:first[u + 1], 1] for u in range(num_users)]


def recall(queries, items, seen, wanted):
    """Recall@20 of the users who want something, and how many these are. `seen` is None where own items are ranked."""
    total, users = 0.0, [u for u in range(len(queries)) if len(wanted[u])]
    for start in range(0, len(users), 1024):
        block = users[start:start + 1024]
        scores = queries[block] @ items.T
        for row, user in enumerate(block):
            if seen is not None:
                scores[row, seen[user]] = -np.inf
        best = np.argpartition(-scores, K, axis=1)[:, :K] if scores.shape[1] > K else np.tile(np.arange(scores.shape[1]), (len(block), 1))
        total += sum(np.isin(best[row], wanted[user]).sum() / len(wanted[user]) for row, user in enumerate(block))
    return total / len(users), len(users)


def stored(folder):
    """Users and items as the files of an X.compressed have them, as docs/formats.md says to read them."""
    users = np.load(folder / "users.npy").astype(np.float32) * np.load(folder / "users.scales.npy")[:, None]
    if (folder / "items.npy").exists():
        return users, np.load(folder / "items.npy").astype(np.float32)
    said = json.loads((folder / "manifest.json").read_text())["code"]
    codes, books = np.load(folder / "items.codes.npy"), np.load(folder / "items.codebooks.npy")
    subs, bits = said["sub_quantizers"], said["bits"]
    flat = np.unpackbits(codes, axis=1, bitorder="little")[:, :subs * bits].reshape(len(codes), subs, bits)
    chosen = (flat * (1 << np.arange(bits))).sum(2)
    books = books.reshape(subs, 1 << bits, -1)
    return users, np.concatenate([books[m][chosen[:, m]] for m in range(subs)], axis=1)


def bench_vectors(options):
    result = {}
    for case in options.case or CASES:
        data, model = prepared(options, case)
        facts = json.loads((data / "manifest.json").read_text())
        old = [np.load(model / "vectors" / name) for name in ("users.npy", "items.npy")]
        known = sets_of(data, ["train", "validation"], len(old[0]))
        wanted = sets_of(data, ["test"], len(old[0]))
        seen = known
        if facts["repeats_allowed"]:
            seen = None
        else:
            wanted = [np.setdiff1d(want, have) for want, have in zip(wanted, known)]
        before, users = recall(*old, seen, wanted)
        entry = result[case] = {"settings": CASES[case][1], "test": {"users": users, "recall@20": before}}
        for name, words in [("int8", ["--vectors", "int8"])] + [(f"pq_{seed}", ["--vectors", "pq", "--seed", seed]) for seed in options.seed or (1, 2, 3)]:
            with tempfile.TemporaryDirectory(prefix="penchant-small-") as folder:
                out = pathlib.Path(folder) / "x"
                text, seconds, peak = run_watched([options.penchant, "compress", data, model, "--out", out, "--json", "--quiet", *map(str, words)])
                said = json.loads(text)
                del said["out"]
                after, _ = recall(*stored(out), seen, wanted)
                entry[name] = {"seconds": seconds, "peak_anonymous_bytes": peak, "said": said,
                               "test": {"recall@20": after, "lost": 1 - after / before}}
            print(case, name, f"ratio {said['items']['ratio']:.2f}", f"validation lost {said['validation']['recall@20']['lost']:.4f}",
                  f"test lost {entry[name]['test']['lost']:.4f}", flush=True)
    return result


def bench_network(options):
    source = pathlib.Path(os.environ["PENCHANT_DATA"]) / "beauty"
    data = options.work / "beauty.data"
    if not (data / "manifest.json").exists():
        run([options.penchant, "ingest", "--format", "s3rec", "--sequences", source / "Beauty.txt", "--attributes",
             source / "Beauty_item2attributes.json", "--out", data, "--quiet"])
    result = {}
    for seed in options.seed or (1, 2, 3):
        model, small = options.work / f"beauty_{seed}.model", options.work / f"beauty_{seed}-int8.model"
        if not (model / "manifest.json").exists():
            run([options.penchant, "train", data, "--out", model, "--quiet", "--set", "model.kind=interest", "--set", f"train.seed={seed}"])
        said = json.loads(run([options.penchant, "compress", data, model, "--network", "int8", "--out", small, "--json", "--quiet"])[0])
        del said["out"]
        metrics = [json.loads(run([options.penchant, "evaluate", data, which, "--json", "--quiet"])[0]) for which in (model, small)]
        before, after = (one["metrics"]["hit_rate@10"] for one in metrics)
        result[str(seed)] = {"said": said, "test": {"hit_rate@10": {"before": before, "after": after, "lost": 1 - after / before}}}
        print("beauty", seed, json.dumps(result[str(seed)]["test"]), json.dumps(said["people"]), flush=True)
    return result


def bench_speed(options):
    """Medians of ratios of rounds; the two take turns within a round, so that what else runs slows both."""
    ratios, times = {}, {}
    for _ in range(options.rounds):
        text, _, _ = run([options.build / "bench/recurrent_bench", "--benchmark_filter=recurrent_forward", "--benchmark_format=json",
                          "--benchmark_enable_random_interleaving=true", "--benchmark_repetitions=5", "--benchmark_min_time=0.02",
                          "--benchmark_report_aggregates_only=true"])
        found = {}
        for one in json.loads(text)["benchmarks"]:
            if one["aggregate_name"] == "median":
                _, kind, batch = one["run_name"].split("/")[:3]
                found[batch, kind] = one["real_time"]
        for batch in ("1", "64"):
            ratios.setdefault(batch, []).append(found[batch, "float32"] / found[batch, "int8"])
            for kind in ("float32", "int8"):
                times.setdefault((batch, kind), []).append(found[batch, kind])
    return {batch: {"steps": 50, "input_dim": 64, "hidden_dim": 128, "rounds": options.rounds, "times_faster": statistics.median(ratios[batch]),
                    "least": min(ratios[batch]), "most": max(ratios[batch]), "float32_us": statistics.median(times[batch, "float32"]),
                    "int8_us": statistics.median(times[batch, "int8"])} for batch in ("1", "64")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["vectors", "network", "speed", "all"])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where models are kept")
    parser.add_argument("--case", action="append", choices=CASES, help="of vectors: all without it")
    parser.add_argument("--seed", type=int, action="append", help="of k-means and of the network's training: 1, 2 and 3 without it")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=11, help="of speed")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/small_models.json")
    options = parser.parse_args()
    options.penchant = options.build / "penchant"
    options.work.mkdir(parents=True, exist_ok=True)
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    facts = json.loads(run([options.penchant, "info", "--json"])[0])
    facts["cuda"] = facts["cuda"].split(" (")[0]  # without this machine's paths
    for part, measure in (("speed", bench_speed), ("vectors", bench_vectors), ("network", bench_network)):
        if options.part in (part, "all"):
            result[part] = {"date": datetime.date.today().isoformat(), "commit": commit, "machine": machine(), "penchant": facts,
                            "numpy": np.__version__} | {"measured": measure(options)}
            result["bench"] = "small_models"
            options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
