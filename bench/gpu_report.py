#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu_report.py FOLDER: the short table that bench/gpu.sh ends with, from the files it wrote. A file that is missing or empty is
said to be so; nothing stands for a number that was not measured."""
import csv
import json
import math
import pathlib
import re
import sys

folder = pathlib.Path(sys.argv[1])
L2_BYTES = 50e6  # of an H100; a table of that size or less stays in it


def read(name):
    """The results of a part, one a line; a line that a time limit cut off is left out."""
    results = []
    try:
        for line in (folder / name).read_text().splitlines():
            try:
                results.append(json.loads(line))
            except ValueError:
                print(f"{folder / name}: a line is not whole")
    except OSError:
        pass
    if not results:
        print(f"{folder / name}: no results")
    return results


def first(results, part, **wanted):
    """The first result of that part, or None."""
    return next((one for one in results if one["part"] == part and all(one.get(name) == value for name, value in wanted.items())), None)


def ratio(peer, own):
    return f"{peer / own:.2f}x" if peer else "not measured"


def median(result, name):
    return ((result or {}).get(name) or {}).get("median")


def products(rows, copy):
    print(f"\n{'sparse product':<18} {'d':>4} {'own ms':>9} {'cuSPARSE ms':>12} {'speed-up':>9} {'TB/s':>6} {'bf16':>6}")
    for row in rows:
        best = min(row[name]["median"] for name in ("alg1", "alg2", "alg3"))
        print(f"{row['graph']:<18} {row['d']:>4} {row['own']['median']:>9.3f} {best:>12.3f} {row['speed_up']:>8.2f}x"
              f" {row['gathered_tb_per_s']:>6.2f} {row['bf16_speed_up']:>5.2f}x")
    for width in (32, 64, 128, 256):
        ratios = [row["speed_up"] for row in rows if row["d"] == width]
        if ratios:
            print(f"geometric mean, d = {width}: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}x, least {min(ratios):.2f}x over {len(ratios)} graphs")
    in_cache = [row["gathered_tb_per_s"] for row in rows if 4.0 * row["nodes"] * row["d"] <= L2_BYTES]
    if in_cache:
        print(f"gathered, tables in L2: {min(in_cache):.2f} to {max(in_cache):.2f} TB/s")
    if copy:
        print(f"copy {copy:.2f} TB/s read and written")


def counters(graph):
    """What ncu counted of one product: a row of names, one of units, one of values."""
    try:
        lines = (folder / f"gpu_profile_{graph}.csv").read_text().splitlines()
        start = next(k for k, line in enumerate(lines) if line.startswith('"ID"'))
        names, _, values = list(csv.reader(lines[start:start + 3]))
        return {name: float(value.replace(",", "")) for name, value in zip(names, values) if re.fullmatch(r"[\d.,]+", value)}
    except (OSError, StopIteration, ValueError):
        print(f"counters of a product, {graph}: not measured")
        return {}


def traffic(graph, copy):
    counted = counters(graph)
    seconds = counted.get("gpu__time_duration.sum", 0.0) * 1e-9
    if seconds and "dram__bytes.sum" in counted:
        dram = counted["dram__bytes.sum"] / seconds / 1e12
        print(f"product of {graph}: DRAM {dram:.2f} TB/s" + (f", {100 * dram / copy:.0f} % of the copy" if copy else ""))
    for name, label, scale in (("lts__t_bytes.sum.per_second", "L2, TB/s", 1e-12), ("l1tex__t_sector_hit_rate.pct", "hits in L1, %", 1.0),
                               ("smsp__issue_active.avg.pct_of_peak_sustained_active", "issue busy, %", 1.0)):
        if name in counted:
            print(f"product of {graph}: {label} {scale * counted[name]:.2f}")


ours = [line for part in ("spmm", "spmm_large", "spmm_all", "steps", "topk", "catalogue")
        if (folder / f"gpu_bench_{part}.jsonl").exists() for line in read(f"gpu_bench_{part}.jsonl")]
peers = read("gpu_peers.jsonl")
rows = [line for line in ours if line["part"] == "spmm"]
copied = (first(ours, "copy") or {}).get("copy_tb_per_s")
if rows:
    products(rows, copied)
for graph in ("gowalla", "10m"):
    traffic(graph, copied)
plain, recorded = first(ours, "lightgcn", graphs=False), first(ours, "lightgcn", graphs=True)
if plain:
    step = median(plain, "step")
    graphs = f"{median(recorded, 'step'):.3f} ms" if recorded else "not measured"
    print(f"LightGCN step {step:.3f} ms ({step * plain['steps_an_epoch'] / 1e3:.2f} s an epoch; as a recorded graph {graphs}),"
          f" PyG / ours {ratio(median(first(peers, 'lightgcn'), 'step'), step)}")
for name, label in (("topk", "top-20, 50,000 x 90,000"), ("lstm", "LSTM forward and backward"),
                    ("interest", "interest model (LSTM), training step")):
    if first(ours, name):
        own = median(first(ours, name), "time")
        print(f"{label} {own:.3f} ms, PyTorch / ours {ratio(median(first(peers, name), 'time'), own)}")
if convolution := first(ours, "convolution"):
    print(f"causal convolution of width {convolution['width']}, forward and backward {median(convolution, 'unfolded'):.3f} ms unfolded,"
          f" {median(convolution, 'cudnn'):.3f} ms by cuDNN")
if shop := first(ours, "catalogue"):
    print(f"catalogue of {shop['nodes']:,} nodes, {shop['entries']:,} entries: {shop['time']['median']:.1f} ms of kernels,"
          f" {shop['from_disk_s']:.2f} s from the CSR on disk; graph built on the device in {shop['graph_build_s']:.2f} s")
