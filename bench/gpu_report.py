#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu_report.py GPU_BENCH.json GPU_PEERS.json: the short table that bench/gpu.sh ends with. A file that is missing or empty
is said to be so; nothing stands for a number that was not measured."""
import json
import math
import sys


def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        print(f"{path}: no results")
        return {}


def ratio(peer, own):
    return f"{peer / own:.2f}x" if peer else "not measured"


ours, peers = read(sys.argv[1]), read(sys.argv[2])
if ours:
    print(f"\n{'sparse product':<18} {'d':>4} {'own ms':>9} {'cuSPARSE ms':>12} {'speed-up':>9} {'TB/s':>6} {'bf16':>6}")
    for row in ours["spmm"]:
        best = min(row[name]["median"] for name in ("alg1", "alg2", "alg3"))
        print(f"{row['graph']:<18} {row['d']:>4} {row['own']['median']:>9.3f} {best:>12.3f} {row['speed_up']:>8.2f}x"
              f" {row['gathered_tb_per_s']:>6.2f} {row['bf16_speed_up']:>5.2f}x")
    for width in (32, 64, 128, 256):
        logs = [math.log(row["speed_up"]) for row in ours["spmm"] if row["d"] == width]
        print(f"geometric mean, d = {width}: {math.exp(sum(logs) / len(logs)):.2f}x")
    print(f"copy {ours['copy_tb_per_s']:.2f} TB/s read and written")
    step = ours["lightgcn"]["step"]["median"]
    epoch = step * ours["lightgcn"]["steps_an_epoch"] / 1e3
    peer = (peers.get("lightgcn") or {}).get("step", {}).get("median")
    print(f"LightGCN step {step:.3f} ms ({epoch:.2f} s an epoch), PyG / ours {ratio(peer, step)}")
    for name, label in (("topk", "top-20, 50,000 x 90,000"), ("lstm", "LSTM forward and backward")):
        own = ours[name]["time"]["median"]
        peer = (peers.get(name) or {}).get("time", {}).get("median")
        print(f"{label} {own:.3f} ms, PyTorch / ours {ratio(peer, own)}")
