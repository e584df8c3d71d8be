#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs penchant_fuzz over its targets, several at a time, and adds up what it did (docs/robustness.md).

    fuzz.py BUILD --minutes 10 [--jobs 2] [--seed 1] [--results FILE] [TARGET ...]

BUILD: a build with PENCHANT_FUZZ; the corpus grows in BUILD/corpus, inputs of findings go to BUILD/findings.
Exit status 1 if there was one.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import platform
import subprocess
import sys


def names(program):
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


def run(args, program, name, seconds):
    folder = os.path.join(args.build, "findings")
    os.makedirs(folder, exist_ok=True)
    result = subprocess.run([program, "--json", "--seconds", str(seconds), "--seed", str(args.seed), "--corpus",
                             os.path.join(args.build, "corpus"), "--findings", folder, name], capture_output=True, text=True,
                            errors="replace", env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                                                   "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"})
    if result.returncode != 0:
        print(f"FOUND {name}: exit {result.returncode}\n{result.stderr[-4000:]}", flush=True)
        return {"target": name, "finding": result.stderr.strip().splitlines()[-1:] or [""], "executions": 0}
    told = json.loads(result.stdout.splitlines()[-1])
    print(f"{name}: {told['executions']} executions, {told['inputs']} inputs, {told['branches']} branches", flush=True)
    return told


def keep(args, found):
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    commit = subprocess.run(["git", "-C", source, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    kept = {"executions": 0, "by_target": {}, "runs": []}
    if os.path.exists(args.results):
        with open(args.results) as file:
            kept = json.load(file)
    for one in found:
        kept["executions"] += one["executions"]
        kept["by_target"][one["target"]] = kept["by_target"].get(one["target"], 0) + one["executions"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept["runs"].append({"when": now, "commit": commit, "machine": platform.machine(), "cores": os.cpu_count(), "seed": args.seed,
                         "minutes": args.minutes, "how": args.how, "executions": sum(one["executions"] for one in found),
                         "findings": sum("finding" in one for one in found)})
    with open(args.results, "w") as file:
        json.dump(kept, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--program", help="instead of BUILD/tests/fuzz/penchant_fuzz or BUILD/penchant_fuzz")
    parser.add_argument("--how", default="counted branches, ASan and UBSan", help="how the program was built, for the results")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results")
    args = parser.parse_args()
    program = args.program or next(path for path in (f"{args.build}/penchant_fuzz", f"{args.build}/tests/fuzz/penchant_fuzz")
                                   if os.path.exists(path))
    targets = args.targets or names(program)
    seconds = 60 * args.minutes * args.jobs / len(targets)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        found = list(pool.map(lambda name: run(args, program, name, seconds), targets))
    print(f"fuzz: {sum(one['executions'] for one in found)} executions, {sum('finding' in one for one in found)} findings")
    if args.results:
        keep(args, found)
    return 1 if any("finding" in one for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
