#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes calls of the program fail on purpose, in every verb, and judges what it does (docs/robustness.md).

    faults.py PROGRAM LIBRARY [--minutes 1] [--seed 1] [--jobs 1] [--only NAME ...] [--kill] [--power] [--results FILE]

Every scenario of tiny_shop.py runs once without a fault to count the calls of each class; then faults are drawn: a
scenario, a class, the n-th of its calls, what the system answers, that call alone or all from then on. None is drawn twice.
Exit status 1 if one ended other than promised; its command to repeat is printed.
"""
import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time

import kills
import power_cuts
import process
import tiny_shop


SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def drawn(references, seed):
    """Endless: scenario, fault. Each pair of scenario and class in turn, its calls in random order, until all are done."""
    rng = random.Random(seed)
    ways = {}
    for scenario, known in references.items():
        for kind in process.CLASSES:
            count = known.counts[kind]
            if count > 0:
                ways[scenario, kind] = count
    done = set()
    pairs = list(ways)
    while pairs:
        rng.shuffle(pairs)
        for pair in list(pairs):
            scenario, kind = pair
            for _ in range(64):
                fault = process.Fault(kind, rng.randint(1, ways[pair]), rng.choice(process.ERRORS[kind]),
                                      rng.choice(("once", "on")))
                if (scenario, fault) not in done:
                    break
            else:
                pairs.remove(pair)
                continue
            done.add((scenario, fault))
            yield scenario, fault


def inject(args, base, folder, scenario, fault, known):
    tiny_shop.lay_out(base, scenario, folder)
    end = process.run(args.program, scenario, folder, args.library, fault)
    wrong = process.wrong_end(fault, end, known.out) or \
        process.wrong_files(args.program, scenario, folder, known.before, known.right, said=end.err)
    return scenario, fault, end, wrong


def who(frames):
    """The first frame that is neither this library's nor a language's or system's own."""
    for frame in frames:
        name = os.path.basename(frame.split("+")[0])
        if not name.startswith(("libfaults", "libc.", "libstdc++", "ld-linux", "libgcc_s")):
            return name
    return "?"


def print_wrong(scenario, fault, end, wrong):
    print(f"WRONG {scenario.name}: {fault.text()}: {wrong}\n      asked for by {who(end.frames)}; stderr: "
          f"{end.err.strip()[-300:]!r}\n      PENCHANT_FAULT={fault.text()} penchant {' '.join(scenario.arguments)}", flush=True)


def run_faults(args, base, work):
    references = {}
    for scenario in chosen(args):
        references[scenario] = process.reference(args.program, args.library, base, scenario, f"{work}/reference")
    calls = {kind: sum(known.counts[kind] for known in references.values()) for kind in process.CLASSES}
    print(f"faults: {len(references)} scenarios; calls: {calls}", flush=True)
    deadline = time.monotonic() + 60 * args.minutes
    source = drawn(references, args.seed)
    counts = collections.Counter()
    ends = collections.Counter()
    bad = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = {}
        free = [f"{work}/run{job}" for job in range(args.jobs)]
        while running or time.monotonic() < deadline:
            while free and time.monotonic() < deadline:
                drawing = next(source, None)
                if drawing is None:
                    deadline = 0
                    break
                folder = free.pop()
                running[pool.submit(inject, args, base, folder, *drawing, references[drawing[0]])] = folder
            if not running:
                break
            finished, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                free.append(running.pop(future))
                scenario, fault, end, wrong = future.result()
                if end.failed == 0:
                    ends["not reached"] += 1
                    continue
                counts[fault.kind] += 1
                ends["hung" if end.code is None else f"signal {-end.code}" if end.code < 0 else f"exit {end.code}"] += 1
                if sum(counts.values()) % 1000 == 0:
                    print(f"faults: {sum(counts.values())} injected, {len(bad)} wrong", flush=True)
                if wrong:
                    bad.append({"scenario": scenario.name, "fault": fault.text(), "wrong": wrong, "by": who(end.frames)})
                    print_wrong(scenario, fault, end, wrong)
    print(f"faults: {sum(counts.values())} injected (seed {args.seed}): {dict(counts)}; ends: {dict(ends)}; {len(bad)} wrong")
    return {"what": "faults", "scenarios": len(references), "calls": calls, "injected": sum(counts.values()),
            "by_class": dict(counts), "ends": dict(ends), "wrong": len(bad), "wrong_ones": bad[:50]}


def chosen(args):
    found = [scenario for scenario in tiny_shop.scenarios() if not args.only or scenario.name in args.only]
    if args.only and len(found) != len(set(args.only)):
        raise SystemExit(f"--only: expected some of {[scenario.name for scenario in tiny_shop.scenarios()]}")
    return found


def keep(args, result):
    """Adds the result to a JSON file, so that runs add up."""
    def git(*words):
        return subprocess.run(["git", "-C", SOURCE, *words], capture_output=True, text=True).stdout.strip()
    runs = []
    if os.path.exists(args.results):
        with open(args.results) as file:
            runs = json.load(file)["runs"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    runs.append({"when": now, "commit": git("rev-parse", "--short", "HEAD"), "machine": platform.machine(),
                 "cores": os.cpu_count(), "seed": args.seed, "minutes": args.minutes, **result})
    with open(args.results, "w") as file:
        json.dump({"runs": runs}, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--kill", action="store_true", help="kill -9 at random moments instead")
    parser.add_argument("--power", action="store_true", help="power cuts instead: replay what was recorded up to a point")
    parser.add_argument("--once", help="CLASS:N:ERRNO:MODE of a fault to repeat; with --only")
    parser.add_argument("--results")
    args = parser.parse_args()
    tiny_shop.check_verbs(SOURCE)
    args.program, args.library = os.path.abspath(args.program), os.path.abspath(args.library)
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = tempfile.mkdtemp(prefix="penchant_faults_", dir=place)
    try:
        base = f"{work}/base"
        tiny_shop.build(args.program, base)
        if args.once:
            kind, number, error, mode = args.once.split(":")
            fault = process.Fault(kind, int(number), int(error), mode)
            for scenario in chosen(args):
                known = process.reference(args.program, args.library, base, scenario, f"{work}/reference")
                _, _, end, wrong = inject(args, base, f"{work}/run0", scenario, fault, known)
                print(end.code, end.err, *end.frames, wrong or "as promised", sep="\n")
                subprocess.run(["find", f"{work}/run0", "-newer", f"{work}/run0.report", "-o", "-name", "*.json"])
            return 0
        run = kills.run_kills if args.kill else power_cuts.run_power_cuts if args.power else run_faults
        result = run(args, base, work)
        if args.results:
            keep(args, result)
        return 1 if result["wrong"] else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
