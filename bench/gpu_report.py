#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu_report.py FOLDER: the short table that bench/gpu.sh ends with, from the files it wrote. A file that is missing or empty is
said to be so; nothing stands for a number that was not measured."""
import csv
import json
import math
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
L2_BYTES = 50e6  # of an H100; a table of that size or less stays in it


def read(name):
    try:
        return json.loads((folder / name).read_text())
    except (OSError, ValueError):
        print(f"{folder / name}: no results")
        return {}


def ratio(peer, own):
    return f"{peer / own:.2f}x" if peer else "not measured"


def median(results, *path):
    for name in path:
        results = (results or {}).get(name)
    return (results or {}).get("median")


def products(rows, copy):
    print(f"\n{'sparse product':<18} {'d':>4} {'own ms':>9} {'cuSPARSE ms':>12} {'speed-up':>9} {'TB/s':>6} {'bf16':>6}")
    for row in rows:
        best = min(row[name]["median"] for name in ("alg1", "alg2", "alg3"))
        print(f"{row['graph']:<18} {row['d']:>4} {row['own']['median']:>9.3f} {best:>12.3f} {row['speed_up']:>8.2f}x"
              f" {row['gathered_tb_per_s']:>6.2f} {row['bf16_speed_up']:>5.2f}x")
    for width in (32, 64, 128, 256):
        ratios = [row["speed_up"] for row in rows if row["d"] == width]
        print(f"geometric mean, d = {width}: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}x, least {min(ratios):.2f}x")
    in_cache = [row["gathered_tb_per_s"] for row in rows if 4.0 * row["nodes"] * row["d"] <= L2_BYTES]
    if in_cache:
        print(f"gathered, tables in L2: {min(in_cache):.2f} to {max(in_cache):.2f} TB/s")
    print(f"copy {copy:.2f} TB/s read and written")


def dram(copy):
    """What ncu counted: bytes over time of one kernel."""
    try:
        lines = (folder / "gpu_dram.csv").read_text().splitlines()
        start = next(k for k, line in enumerate(lines) if line.startswith('"ID"'))
        values = {row["Metric Name"]: float(row["Metric Value"].replace(",", "")) for row in csv.DictReader(lines[start:])}
        traffic = values["dram__bytes.sum"] / (values["gpu__time_duration.sum"] * 1e-9) / 1e12
    except (OSError, StopIteration, KeyError, ValueError):
        print("DRAM traffic of the largest product: not measured")
        return
    print(f"DRAM traffic of the largest product {traffic:.2f} TB/s, {100 * traffic / copy:.0f} % of the copy")


ours, peers = {}, read("gpu_peers.json")
for part in ("spmm", "steps", "topk", "catalogue"):
    ours.update(read(f"gpu_bench_{part}.json"))
if "spmm" in ours:
    products(ours["spmm"], ours["copy_tb_per_s"])
    dram(ours["copy_tb_per_s"])
if "lightgcn" in ours:
    step = median(ours, "lightgcn", "step")
    epoch = step * ours["lightgcn"]["steps_an_epoch"] / 1e3
    print(f"LightGCN step {step:.3f} ms ({epoch:.2f} s an epoch; without graphs {median(ours, 'lightgcn', 'step_without_graphs'):.3f}"
          f" ms), PyG / ours {ratio(median(peers, 'lightgcn', 'step'), step)}")
for name, label in (("topk", "top-20, 50,000 x 90,000"), ("lstm", "LSTM forward and backward"),
                    ("interest", "interest model (LSTM), training step")):
    if name in ours:
        own = median(ours, name, "time")
        print(f"{label} {own:.3f} ms, PyTorch / ours {ratio(median(peers, name, 'time'), own)}")
if "convolution" in ours:
    unfolded, by_cudnn = median(ours, "convolution", "unfolded"), median(ours, "convolution", "cudnn")
    print(f"causal convolution of width {ours['convolution']['width']}, forward and backward {unfolded:.3f} ms unfolded,"
          f" {by_cudnn:.3f} ms by cuDNN")
if "catalogue" in ours:
    shop = ours["catalogue"]
    print(f"catalogue of {shop['nodes']:,} nodes, {shop['entries']:,} entries: {shop['time']['median']:.1f} ms of kernels,"
          f" {shop['from_disk_s']:.2f} s from the CSR on disk; graph built on the device in {shop['graph_build_s']:.2f} s")
if (folder / "gpu_gowalla.json").exists():
    for recipe, run in read("gpu_gowalla.json").items():
        print(f"{recipe} from raw text: {float(run['seconds']):.1f} s; metrics in {folder / 'gpu_gowalla.json'}")
