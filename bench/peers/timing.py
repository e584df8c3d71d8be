# SPDX-License-Identifier: Apache-2.0
"""What the peers' scripts share: the graph in a folder of .npy files, interleaved timing, and peers that are not there."""
import importlib.metadata
import pathlib
import statistics
import time

import numpy as np


def load_csr(folder):
    """offsets (int64), columns (int32), values (float32) as `penchant bench --export` writes them."""
    folder = pathlib.Path(folder)
    return tuple(np.load(folder / f"{name}.npy") for name in ("offsets", "columns", "values"))


def median_ms(function, repeats=11, least_seconds=0.02):
    """Median of `repeats` repetitions that last `least_seconds` each; calls before them do not count. From a second a call on, three
    repetitions have to do."""
    function()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    calls = max(1, int(least_seconds / max(seconds, 1e-9)))
    if seconds > 1:
        repeats = 3
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - start) / calls * 1e3)
    return statistics.median(times)


class Peers:
    """Runs each peer, keeps its time, or the reason why there is none. `only`: names of those to run; all without it."""

    def __init__(self, only=()):
        self.only = only
        self.times, self.missing, self.versions = {}, {}, {}

    def run(self, name, packages, make):
        """`make` imports, prepares and returns the function to time; what it returns is not timed."""
        if self.only and name not in self.only:
            return
        try:
            function = make()
            self.times[name] = median_ms(function)
            for package in packages:
                self.versions[package] = importlib.metadata.version(package)
        except Exception as error:  # whatever a peer's import or call raises is its reason
            self.missing[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]

    def result(self):
        return {"times_ms": self.times, "missing": self.missing, "versions": self.versions}
