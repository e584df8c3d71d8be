#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ratios.py FOLDER: one table of all ratios to peers in the results of bench/compare.py, and the peers that are not there. A ratio is
the peer's time over ours, or what we reach over what it reaches (rates, recall): more than 1 is in Penchant's favour."""
import json
import pathlib
import sys


def rows_of(result, prefix=""):
    """(what, peer, ratio) of every "ratios" and every compared graph, however deep."""
    for name, value in result.items():
        if name == "ratios":
            yield from ((prefix, peer, ratio) for peer, ratio in value.items())
        elif name == "graphs":
            for graph, widths in value.items():
                for width, row in widths.items():
                    if isinstance(row, dict) and "best_peer" in row:
                        yield f"{prefix} {graph}, d = {width}", f"best: {row['best_peer']}", row["ratio"]
        elif name == "geomean_ratio_to_best_peer":
            yield f"{prefix} geometric mean", "best peer each", value
        elif isinstance(value, dict):
            yield from rows_of(value, f"{prefix} {name}".strip())


def missing_of(result):
    for name, value in result.items():
        if name == "missing":
            yield from value.items()
        elif isinstance(value, dict):
            yield from missing_of(value)


missing = {}
print("ratio: the peer's time over ours (rates and recall: ours over the peer's); more than 1 is in Penchant's favour")
print(f"{'what':<52}{'peer':<28}{'ratio':>8}")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    result = json.loads(path.read_text())
    for what, peer, ratio in rows_of(result, path.stem):
        if isinstance(ratio, (int, float)):
            print(f"{what:<52}{peer:<28}{ratio:>7.2f}x")
    missing |= dict(missing_of(result))
for peer, reason in missing.items():
    print(f"not compared: {peer}: {reason}")
