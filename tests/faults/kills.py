# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, and again while the repeated run is under way; the result has to be bit-equal."""
import collections
import concurrent.futures
import random
import subprocess
import time

import judge
import process
import tiny_shop


def _killed(program, scenario, folder, delay, words=()):
    """Starts the scenario and kills it after `delay` seconds; false if it had ended before."""
    child = subprocess.Popen([program, *scenario.arguments, *words], cwd=folder, env=tiny_shop.environment(),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(timeout=delay)
        return False
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return True


def _one(args, base, folder, scenario, known, delays):
    tiny_shop.lay_out(base, scenario, folder)
    killed = 0
    for delay in delays:
        words = scenario.resume if process.has_checkpoint(folder) else ()
        if not _killed(args.program, scenario, folder, delay, words):
            break
        killed += 1
    return scenario, delays, killed, process.wrong_files(args.program, scenario, folder, known.before, known.right, killed=True)


def run_kills(args, base, work):
    from faults import chosen
    rng = random.Random(args.seed)
    references, lasts = {}, {}
    for scenario in chosen(args):
        references[scenario] = process.reference(args.program, args.library, base, scenario, f"{work}/reference")
        tiny_shop.lay_out(base, scenario, f"{work}/reference")
        start = time.monotonic()
        process.run(args.program, scenario, f"{work}/reference")
        lasts[scenario] = time.monotonic() - start
    deadline = time.monotonic() + 60 * args.minutes
    counts, bad, runs = collections.Counter(), [], 0
    names = list(references)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        while time.monotonic() < deadline:
            batch = []
            for job in range(args.jobs):
                scenario = names[runs % len(names)]
                runs += 1
                # Half are killed a second time, while they repeat.
                delays = [rng.uniform(0.01, 1.1) * lasts[scenario] for _ in range(rng.choice((1, 2)))]
                batch.append(pool.submit(_one, args, base, f"{work}/run{job}", scenario, references[scenario], delays))
            for future in batch:
                scenario, delays, killed, wrong = future.result()
                counts[scenario.name] += killed
                if killed and wrong:
                    bad.append({"scenario": scenario.name, "delays": delays, "wrong": wrong})
                    print(f"WRONG {scenario.name}: killed after {delays} s: {wrong}", flush=True)
    print(f"faults: {sum(counts.values())} kills (seed {args.seed}): {dict(counts)}; {len(bad)} wrong")
    return {"what": "kills", "killed": sum(counts.values()), "by_scenario": dict(counts), "wrong": len(bad), "wrong_ones": bad[:50]}
