#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of LightGCN (BPR, batch 2048, three layers, d = 64) of Gowalla by two builds of Penchant in turn, and whether both
learn the same bits.

  training_step.py BASELINE   BASELINE: the program of another commit, such as build/release/penchant of a worktree

Each round takes `penchant bench -w training_step` (which verifies every result first) of one build and then of the other, so that what
else the machine does falls on both. `wall` is the median step, `cpu` what all threads spend on one: the processor time of a process
with more repetitions less that of one with fewer, which a busy machine hardly changes (threads wait without spinning). `ratio` is our
median over the baseline's, `ratio_of_rounds` the median of the rounds' ratios: less than 1 is in this build's favour. Then both train an epoch from raw text with the published settings; the weights are
compared byte by byte. Writes bench/results/training_step.json. Needs PENCHANT_DATA (folder with gowalla/) and a release build.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

from compare import ROOT, machine, run, summary

BATCHES = (2048, 8192)
FEW, MANY = 3, 63  # repetitions
PUBLISHED = {"train.batch_size": 2048, "model.loss": "bpr", "train.epochs": 1, "model.own_share": 1.0,
             "model.initializer": "normal", "model.normalize": "false", "train.validate_every": 0, "train.negative_power": 0.0}


class Build:
    def __init__(self, program, work, threads):
        self.program, self.work, self.threads = program, work, threads
        folder = pathlib.Path(os.environ["PENCHANT_DATA"]) / "gowalla"
        self.data = work / "gowalla.data"
        run([program, "ingest", "--format", "lightgcn", "--train", folder / "train.txt", "--test", folder / "test.txt", "--out",
             self.data, "--quiet"])
        run([program, "graph", self.data, "--quiet"])

    def facts(self):
        return json.loads(run([self.program, "info", "--json"])[0])

    def step_ms(self, batch):
        """Milliseconds of one step: by the clock, and of all processors."""
        def bench(repetitions):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            output = subprocess.run(list(map(str, [self.program, "bench", "-w", "training_step", "-g", self.data, "--order", "none",
                                                   "--batch", batch, "--device", "cpu", "--threads", self.threads, "--min-time", 0,
                                                   "-r", repetitions, "--json", "--quiet"])),
                                    stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"OMP_WAIT_POLICY": "passive"}).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return json.loads(output)["rows"][0], (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3
        _, few = bench(FEW)
        row, many = bench(MANY)
        assert row["iterations"] == 1
        return {"wall": row["median_s"] * 1e3, "cpu": (many - few) / (MANY - FEW)}

    def weights(self):
        """SHA-256 of what an epoch learns."""
        model = self.work / "model"
        command = [self.program, "train", self.data, "--out", model, "--quiet", "--threads", self.threads]
        for key, value in PUBLISHED.items():
            command += ["--set", f"{key}={value}"]
        run(command)
        return hashlib.sha256((model / "weights.safetensors").read_bytes()).hexdigest()


def commit_of(folder):
    found = subprocess.run(["git", "-C", str(folder), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-weights", action="store_true", help="do not train an epoch")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/training_step.json")
    options = parser.parse_args()
    if "PENCHANT_DATA" not in os.environ:
        sys.exit("training_step: set PENCHANT_DATA to the folder that holds gowalla/")
    with tempfile.TemporaryDirectory() as name:
        builds = {}
        for which, program in (("baseline", options.baseline), ("penchant", options.build / "penchant")):
            work = pathlib.Path(name) / which
            work.mkdir()
            builds[which] = Build(program.resolve(), work, options.threads)
        times = {batch: {which: [] for which in builds} for batch in BATCHES}
        commit, load = commit_of(ROOT), os.getloadavg()
        for number in range(options.rounds):
            for batch in BATCHES:
                for which in (list(builds) if number % 2 == 0 else list(builds)[::-1]):
                    times[batch][which].append(builds[which].step_ms(batch))
        result = {"bench": "training_step", "date": datetime.date.today().isoformat(), "commit": commit,
                  "baseline_commit": commit_of(options.baseline.resolve().parent), "machine": machine(),
                  "threads": options.threads, "load_average": load,
                  "versions": {which: build.facts() for which, build in builds.items()},
                  "unit": "ms a step", "graph": "Gowalla, training part", "loss": "bpr", "layers": 3, "dim": 64, "batches": {}}
        for versions in result["versions"].values():
            versions["cuda"] = versions["cuda"].split(" (")[0]  # without this machine's paths
        for batch, rounds in times.items():
            for kind in ("cpu", "wall"):
                of = {which: [step[kind] for step in steps] for which, steps in rounds.items()}
                medians = {which: statistics.median(ms) for which, ms in of.items()}
                result["batches"].setdefault(str(batch), {})[kind] = {
                    "times": {which: summary(ms) for which, ms in of.items()},
                    "ratio": medians["penchant"] / medians["baseline"],
                    "ratio_of_rounds": statistics.median(ours / theirs for ours, theirs in zip(of["penchant"], of["baseline"]))}
        if not options.no_weights:
            weights = {which: build.weights() for which, build in builds.items()}
            result["epoch"] = {"settings": PUBLISHED, "sha256_of_weights": weights, "same_bits": len(set(weights.values())) == 1}
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if not result.get("epoch", {}).get("same_bits", True):
        sys.exit("training_step: the builds learn different bits")


if __name__ == "__main__":
    main()
