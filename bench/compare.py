#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times Penchant beside its peers in one run, round by round in turn, and writes medians and ratios as JSON. A ratio is the peer's
time over ours (of rates and recall: ours over the peer's), so that more than 1 is in Penchant's favour.

  compare.py spmm      one product with tables 32, 64, 128 and 256 wide, on Gowalla in log and in METIS order and on generated graphs:
                       PyTorch CSR, SciPy, MKL, GraphBLAS, PyG, DGL
  compare.py gnn       LightGCN's forward and one GCN layer, d = 64: PyTorch, PyG, DGL
  compare.py graph_build  10 million events to user-item graph, transpose and co-occurrence: SciPy and pandas
  compare.py orders    one propagation in the given, the degree and the METIS order, and what ordering costs
  compare.py epoch     LightGCN steps, BPR, batch 2048, three layers, exact propagation at each step: PyTorch
  compare.py recommenders  RecBole's LightGCN, step by step; implicit's ALS, time to quality
  compare.py ingest    a 10-million-line CSV: pandas read_csv + factorize
  compare.py frames    the same lines as an Arrow table in memory, by the Python package: beside their CSV, and pandas' factorize of
                       users and items and the order by user and time (which merges, splits and writes nothing)
  compare.py package_calls  train and embed of Gowalla by the Python package beside the command line
  compare.py evaluate  all Gowalla users, top 20
  compare.py lists     a list of 20 for all Gowalla users as a file, exact: Faiss, implicit, usearch, PyTorch with vectors and lists
                       in memory; and the memory that lists of a million items take
  compare.py gowalla   the default recipe from raw text to test metrics, three seeds
  compare.py gowalla_vectors  vectors alone, for an index: examples/gowalla-vectors.toml, three seeds
  compare.py gowalla_auto  model.kind = "auto" on Gowalla, raw text to test metrics, three seeds
  compare.py ablation  graph, sequence, fused; rnn, lstm, cnn; with and without the item graph, on Beauty
  compare.py interest  training throughput of the interest model's sequence half on Beauty: PyTorch; and what the graph adds
  compare.py shops     three shops split by time: popularity, item-kNN, repeat purchases, EASE, implicit's ALS and BPR; with
                       --only peers the last three alone, into shops_peers.json
  compare.py hidden_items  a tenth of the items hidden from training: attribute averages, popularity, chance
  compare.py locality  one product on lattices beyond the last-level cache, whose gathers hit the caches: share of STREAM triad
  compare.py overhead  penchant bench beside Google Benchmark on the same products
  compare.py report    the page about a catalogue of a million items: seconds, bytes, peak memory, how a browser fares with it
  compare.py serve     requests a second of the server: users of Gowalla, histories of Beauty through the LSTM, and a mixture with
                       events and reloads; needs wrk
  compare.py beauty    the interest model's default recipe on Beauty from files to test metrics, three seeds

Needs PENCHANT_DATA (folder with gowalla/ and beauty/), a release build, and the packages of bench/peers/requirements.txt.
"""
import argparse
import contextlib
import datetime
import functools
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(command, **options):
    """Output, seconds and peak resident bytes of one child."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([str(word) for word in command], stdout=out, **options)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        if status != 0:
            sys.exit(f"compare: failed: {' '.join(map(str, command))}")
        out.seek(0)
        return out.read(), seconds, usage.ru_maxrss * 1024


def run_watched(command):
    """Output, seconds and peak anonymous bytes of one child: what it holds beside the files that it maps. Looked at every 10 ms."""
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([str(word) for word in command], stdout=out)
        while child.poll() is None:
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
                found = re.search(r"RssAnon:\s+(\d+) kB", status)
                peak = max(peak, int(found[1]) * 1024 if found else 0)
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        if child.returncode != 0:
            sys.exit(f"compare: failed: {' '.join(map(str, command))}")
        out.seek(0)
        return out.read(), seconds, peak


def peer(name, *arguments, python=sys.executable, **environment):
    """One round of bench/peers/NAME.py: the JSON it prints, with seconds and peak bytes of the whole process."""
    output, seconds, peak = run([python, ROOT / "bench/peers" / f"{name}.py", *arguments],
                                env=os.environ | {"DGLBACKEND": "pytorch"} | environment)  # or DGL writes to stdout that it assumes so
    return json.loads(output) | {"process_seconds": seconds, "peak_bytes": peak}


def page_speed(page):
    """How a browser fares with the page, or why that is not known: what was measured before must not be lost with it."""
    child = subprocess.run([sys.executable, ROOT / "bench/page_speed.py", page], capture_output=True, text=True)
    if child.returncode != 0:
        return {"missing": (child.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(child.stdout)


def machine():
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}


class Bench:
    def __init__(self, options):
        self.options = options
        self.penchant = options.build / "penchant"
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="penchant-bench-"))

    def gowalla(self):
        data = os.environ.get("PENCHANT_DATA")
        if not data:
            sys.exit("compare: set PENCHANT_DATA to the folder that holds gowalla/")
        out = self.work / "gowalla.data"
        folder = pathlib.Path(data) / "gowalla"
        run([self.penchant, "ingest", "--format", "lightgcn", "--train", folder / "train.txt", "--test",
             folder / "test.txt", "--out", out, "--quiet"])
        run([self.penchant, "graph", out, "--quiet"])
        return out

    def beauty(self):
        folder = pathlib.Path(os.environ["PENCHANT_DATA"]) / "beauty"
        out = self.work / "beauty.data"
        run([self.penchant, "ingest", "--format", "s3rec", "--sequences", folder / "Beauty.txt", "--attributes",
             folder / "Beauty_item2attributes.json", "--out", out, "--quiet"])
        run([self.penchant, "graph", out, "--quiet"])
        return out

    def adjacency(self, data, order="log"):
        """The symmetric normalised user-item matrix as offsets, columns, values in a folder of .npy files, nodes in the
        order of the log or in that of the partition stage."""
        import numpy as np
        import scipy.sparse as sp
        load = lambda name: np.load(data / "graph" / f"user_item.{name}.npy")
        facts = json.loads((data / "manifest.json").read_text())
        shape = (facts["num_users"], facts["num_items"])
        columns = load("columns")
        values = load("values") if len(load("values")) else np.ones(len(columns), np.float32)  # absent: all ones
        links = sp.csr_matrix((values, columns, load("offsets")), shape=shape)
        scale = [sp.diags(1 / np.sqrt(np.maximum(np.asarray(links.sum(axis)).ravel(), 1e-12))) for axis in (1, 0)]
        normalized = scale[0] @ links @ scale[1]
        matrix = sp.bmat([[None, normalized], [normalized.T, None]]).tocsr().astype(np.float32)
        if order == "partition":
            run([self.penchant, "partition", data, "--quiet"])
            nodes = np.load(data / "partition" / "order.npy")
            matrix = matrix[nodes][:, nodes].tocsr()
        matrix.sort_indices()
        folder = self.work / f"adjacency_{order}"
        folder.mkdir()
        np.save(folder / "offsets.npy", matrix.indptr.astype(np.int64))
        np.save(folder / "columns.npy", matrix.indices.astype(np.int32))
        np.save(folder / "values.npy", matrix.data)
        return folder, matrix.nnz

    def bench(self, *arguments):
        """Rows of `penchant bench`, on as many threads as the peers."""
        output, _, _ = run([self.penchant, "bench", "--json", "--quiet", "--device", "cpu", "--threads", self.options.threads, *arguments])
        return json.loads(output)

    @functools.cache
    def graphs(self):
        """Folders of .npy files: Gowalla in two orders, and generated graphs beyond the last-level cache."""
        data = self.gowalla()
        folders = {"gowalla": self.adjacency(data)[0], "gowalla_metis": self.adjacency(data, "partition")[0]}
        for name, graph, scale, factor in (("rmat_2^18", "rmat", 18, 10), ("power_law_10M", "bipartite", 19, 20)):
            folders[name] = self.work / name
            run([self.penchant, "bench", "-g", graph, "--scale", scale, "--edge-factor", factor, "--export", folders[name], "--quiet"])
        return folders

    def against_peers(self, workload, widths, script):
        """Rounds of ours and of the peers' in turn. `script(folder)` gives {width: {times_ms, missing, versions}}."""
        result, ratios, versions, missing = {}, [], {}, {}
        for name, folder in self.graphs().items():
            times = {width: {} for width in widths}
            for _ in range(self.options.rounds):
                rows = self.bench("-w", workload, "-g", folder, "-d", ",".join(map(str, widths)))
                for row in rows["rows"]:
                    times[row["dim"]].setdefault("penchant", []).append(row["median_s"] * 1e3)
                for width, found in script(folder).items():
                    for peer_name, ms in found["times_ms"].items():
                        times[width].setdefault(peer_name, []).append(ms)
                    versions |= found["versions"]
                    missing |= found["missing"]
            result[name] = {}
            for width in widths:
                medians = {peer_name: summary(values) for peer_name, values in times[width].items()}
                ours = medians["penchant"]["median"]
                best = min((m["median"], peer_name) for peer_name, m in medians.items() if peer_name != "penchant")
                ratios.append(best[0] / ours)
                row = next(row for row in rows["rows"] if row["dim"] == width)
                result[name][width] = {"ms": medians, "best_peer": best[1], "ratio": best[0] / ours,
                                       "compulsory_gb_s": row["compulsory_gb_s"], "triad_gb_s": rows["triad_gb_s"]}
        return {"unit": "ms", "threads": self.options.threads, "graphs": result, "missing": missing, "versions": versions,
                "geomean_ratio_to_best_peer": statistics.geometric_mean(ratios), "least_ratio": min(ratios)}

    def spmm(self):
        widths = [32, 64, 128, 256]

        def script(folder):
            only = [self.options.only] if self.options.only else []
            found = peer("spmm", folder, ",".join(map(str, widths)), self.options.threads, *only)
            return {width: found[str(width)] for width in widths}
        return self.against_peers("spmm", widths, script)

    def locality(self):
        """Compulsory traffic against STREAM triad where the order of the nodes keeps gathers in the caches, and where it does not."""
        result = {"unit": "share of STREAM triad", "threads": self.options.threads, "rows": []}
        for graph, factor in (("lattice", 4), ("lattice", 8), ("rmat", 8)):
            found = self.bench("-w", "spmm", "-g", graph, "--scale", 22, "--edge-factor", factor, "-d", "32,64,128")
            result["rows"] += [{"graph": graph, "nodes": 2 ** 22, "num_entries": row["entries"], "dim": row["dim"],
                                "median_s": row["median_s"], "compulsory_gb_s": row["compulsory_gb_s"],
                                "triad_gb_s": found["triad_gb_s"],
                                "share": row["compulsory_gb_s"] / found["triad_gb_s"]} for row in found["rows"]]
        return result

    def overhead(self):
        """Medians of rounds in turn, on a graph small enough that memory adds no noise of its own; a ratio of 1 means that `penchant
        bench` says what Google Benchmark says."""
        folder = self.work / "graph"
        run([self.penchant, "bench", "-g", "rmat", "--scale", 13, "--edge-factor", 16, "--export", folder, "--quiet"])
        widths = [32, 64]
        times = {width: {"penchant": [], "google_benchmark": []} for width in widths}
        environment = os.environ | {"PENCHANT_BENCH_GRAPH": str(folder), "OMP_NUM_THREADS": str(self.options.threads)}
        for _ in range(self.options.rounds):
            for row in self.bench("-w", "spmm", "-g", folder, "-d", ",".join(map(str, widths)))["rows"]:
                times[row["dim"]]["penchant"].append(row["median_s"] * 1e3)
            output, _, _ = run([self.options.build / "bench/spmm_bench", "--benchmark_filter=spmm_float32/(32|64)/", "--benchmark_format=json",
                                "--benchmark_repetitions=5", "--benchmark_min_time=0.05"], env=environment)
            for row in json.loads(output)["benchmarks"]:
                if row.get("aggregate_name") == "median":
                    times[int(row["run_name"].split("/")[1])]["google_benchmark"].append(row["real_time"])
        result = {width: {name: summary(values) for name, values in of_width.items()} for width, of_width in times.items()}
        return {"unit": "ms", "graph": "rmat 2^13 x 16", "widths": result,
                "ratios": {f"google_benchmark, d = {width}": row["google_benchmark"]["median"] / row["penchant"]["median"]
                           for width, row in result.items()}}

    def report(self):
        """One epoch is enough: what the page costs does not depend on what the vectors say."""
        shop, data, model, page = (self.work / name for name in ("shop", "shop.data", "shop.model", "shop.html"))
        run([self.penchant, "generate", "--out", shop, "--users", 300_000, "--items", 1_000_000, "--events", self.options.lines,
             "--quiet"])
        run([self.penchant, "ingest", "--config", shop / "shop.toml", "--out", data, "--quiet"])
        run([self.penchant, "graph", data, "--quiet"])
        run([self.penchant, "partition", data, "--quiet"])
        run([self.penchant, "train", data, "--out", model, "--quiet", "--set", "train.epochs=1",
             "--set", "train.validate_every=0", "--set", "train.batch_size=262144"])
        _, seconds, peak = run([self.penchant, "report", model, "--data", data, "--out", page, "--quiet"])
        facts = json.loads((data / "manifest.json").read_text())
        return {"unit": "s", "items": facts["num_items"], "users": facts["num_users"], "train_rows": facts["num_train"],
                "seconds": seconds, "page_bytes": page.stat().st_size, "peak_bytes": peak, "browser": page_speed(page)}

    def serve(self):
        import serve_load
        gowalla, beauty = self.gowalla(), self.beauty()
        models = [self.work / "gowalla.model", self.work / "beauty.model"]
        run([self.penchant, "train", gowalla, "--out", models[0], "--quiet", "--budget", self.options.budget])
        run([self.penchant, "train", beauty, "--out", models[1], "--quiet", "--set", "model.kind=interest"])
        return {"budget": self.options.budget} | serve_load.measure(self.penchant, gowalla, models[0], beauty, models[1], self.work, self.options.requests)

    def gnn(self):
        results = {}
        for workload in (self.options.only or "lightgcn_forward,gcn_layer").split(","):
            results[workload] = self.against_peers(workload, [64], lambda folder, workload=workload: {
                64: peer("gnn", folder, 64, self.options.threads, workload)})
        return results

    def graph_build(self):
        """Ours on the events of a generated shop, the peers on the same columns."""
        events = self.options.lines
        columns = self.work / "events"
        run([self.penchant, "bench", "-w", "graph_build", "--events", events, "--export", columns, "--quiet"])
        times = {"penchant": [], "scipy_pandas": []}
        for _ in range(self.options.rounds):
            row = self.bench("-w", "graph_build", "--events", events, "-r", 1, "--warmup", 0)["rows"][0]
            times["penchant"].append(row["median_s"])
            other = peer("graph_build", columns, 1)
            times["scipy_pandas"].append(other["seconds"][0])
            links, together = (int(word) for word in re.findall(r"\d+", row["note"]))
            # Equal strengths summed in another order can differ in the last bit, and then in who is twentieth.
            if links != other["user_item_edges"] or abs(together - other["cooccurrence_edges"]) > 1e-4 * together:
                sys.exit(f"compare: the peer built {other}, Penchant {row['note']}")
        result = {name: summary(values) for name, values in times.items()}
        return {"unit": "s", "events": events, "times": result, "versions": other["versions"], "note": row["note"],
                "ratios": {"scipy_pandas": result["scipy_pandas"]["median"] / result["penchant"]["median"]}}

    def orders(self):
        """Rounds in turn; what ordering costs is counted in forward passes that win it back."""
        data = self.gowalla()
        result = {}
        for name, graph in (("gowalla", [data]), ("power_law_10M", ["bipartite", "--scale", "19", "--edge-factor", "20"])):
            times, costs = {}, {}
            for _ in range(self.options.rounds):
                for row in self.bench("-w", "lightgcn_forward", "-g", *graph, "--order", "none,degree,metis", "--parts", 64)["rows"]:
                    times.setdefault(row["order"], []).append(row["median_s"] * 1e3)
                    costs.setdefault(row["order"], []).append(row["order_s"])
            base = statistics.median(times["none"])
            result[name] = {order: {"ms": summary(ms), "order_s": statistics.median(costs[order]),
                                    "faster": base / statistics.median(ms),
                                    "pays_after_forwards": statistics.median(costs[order]) * 1e3 / (base - statistics.median(ms))
                                    if statistics.median(ms) < base else None} for order, ms in times.items()}
        return {"unit": "ms", "layers": 3, "dim": 64, "graphs": result}

    def published_step_ms(self, data, name):
        """Milliseconds a step of LightGCN as published: a whole epoch with set-up and checkpoint, over its steps."""
        settings = {"train.batch_size": 2048, "model.loss": "bpr", "train.epochs": 1,
                    "model.own_share": 1.0, "model.initializer": "normal", "model.normalize": "false",
                    "train.validate_every": 0, "train.negative_power": 0.0}
        command = [self.penchant, "train", data, "--out", self.work / f"{name}.model", "--quiet", "--json", "--threads",
                   self.options.threads]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        seconds = json.loads(run(command)[0])["seconds"]
        pairs = json.loads((data / "graph/manifest.json").read_text())["statistics"]["user_item"]["edges"]
        return seconds / -(-pairs // 2048) * 1e3

    def epoch(self):
        data = self.gowalla()
        folder, _ = self.adjacency(data)
        steps = 60  # of the peer, whose epoch is minutes long; ours is a whole epoch with set-up and checkpoint
        times = {"penchant": [], "torch_csr": []}
        for round_number in range(self.options.rounds):
            times["penchant"].append(self.published_step_ms(data, f"epoch{round_number}"))
            other = peer("lightgcn", folder, data, steps, self.options.threads)
            times["torch_csr"].append(other["step_ms"])
        result = {name: summary(values) for name, values in times.items()}
        return {"unit": "ms a step", "times": result, "versions": other["versions"],
                "ratios": {"torch_csr": result["torch_csr"]["median"] / result["penchant"]["median"]}}

    def recommenders(self):
        """RecBole's LightGCN step beside ours, and time and quality of `implicit` beside the graph filter's."""
        data = self.gowalla()
        threads, missing, versions = self.options.threads, {}, {}

        def library(name, *arguments):
            command = [sys.executable, ROOT / "bench/peers/recommenders.py", name, data, threads, *arguments]
            child = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                   env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})  # as `implicit` asks for
            if child.returncode != 0:
                missing[name] = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
                return None
            found = json.loads(child.stdout.strip().splitlines()[-1])
            versions.update(found.pop("versions"))
            return found

        steps = {"penchant": [], "recbole": []}
        for round_number in range(self.options.rounds):
            steps["penchant"].append(self.published_step_ms(data, f"step{round_number}"))
            found = library("recbole", 20)
            if found is None:
                break
            steps["recbole"].append(found["step_ms"])
        times = {name: summary(values) for name, values in steps.items() if values}
        ratios = {"recbole": times["recbole"]["median"] / times["penchant"]["median"]} if "recbole" in times else {}
        model = self.work / "filter.model"
        _, seconds, _ = run([self.penchant, "train", data, "--out", model, "--set", "model.kind=graph_filter", "--quiet", "--threads",
                             threads])
        output, _, _ = run([self.penchant, "evaluate", data, model, "--ranking", "full", "--json", "--quiet", "--set",
                            "evaluate.cutoffs=[20]", "--set", "evaluate.rank_metrics=false"])
        metrics = json.loads(output)["full"]
        quality = {"penchant_graph_filter": {"search_and_fit_seconds": seconds,
                                             "metrics": {name: metrics[name] for name in ("recall@20", "ndcg@20")}},
                   "implicit_als": library("implicit")}
        return {"lightgcn_step": {"unit": "ms", "times": times, "ratios": ratios}, "time_to_quality": quality,
                "missing": missing, "versions": versions}

    def ingest(self):
        shop = self.work / "shop"
        run([self.penchant, "generate", "--out", shop, "--users", 1_000_000, "--items", 200_000, "--events",
             self.options.lines, "--quiet"])
        peers = {"pandas": sys.executable} | ({"other_pandas": self.options.other_python} if self.options.other_python else {})
        times = {name: [] for name in ("penchant", *peers)}
        peaks = {name: [] for name in times}
        versions = {}
        out = self.work / "shop.data"
        for _ in range(self.options.rounds):
            shutil.rmtree(out, ignore_errors=True)
            _, seconds, peak = run([self.penchant, "ingest", "--config", shop / "shop.toml", "--out", out, "--quiet"])
            times["penchant"].append(seconds)
            peaks["penchant"].append(peak)
            for name, python in peers.items():
                other = peer("read_log", shop / "events.csv", python=python)
                times[name].append(other["seconds"])
                peaks[name].append(other["peak_bytes"])
                versions[name] = other["versions"]["pandas"]
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        result = {name: summary(values) for name, values in times.items()}
        return {"unit": "s", "lines": self.options.lines, "csv_bytes": (shop / "events.csv").stat().st_size,
                "output_bytes": size, "times": result, "peak_bytes": {k: summary(v) for k, v in peaks.items()},
                "peak_over_output": statistics.median(peaks["penchant"]) / size, "versions": versions,
                "ratios": {name: result[name]["median"] / result["penchant"]["median"] for name in peers}}

    def package(self):
        """The environment in which the package of this build is found."""
        return {"PYTHONPATH": str(self.options.build / "python"), "OMP_NUM_THREADS": str(self.options.threads)}

    def frames(self):
        import pyarrow as pa
        import pyarrow.csv
        shop, table = self.work / "shop", self.work / "events.arrow"
        run([self.penchant, "generate", "--out", shop, "--users", 1_000_000, "--items", 200_000, "--events", self.options.lines, "--quiet"])
        log = pyarrow.csv.read_csv(shop / "events.csv").select(["user", "item", "event", "time"])
        with pa.OSFile(str(table), "wb") as file, pa.ipc.new_file(file, log.schema) as writer:
            writer.write_table(log)
        rows = len(log)
        del log
        columns = ["--user-column", "user", "--item-column", "item", "--event-column", "event", "--time-column", "time"]
        times = {name: [] for name in ("penchant_frame", "penchant_csv", "pandas")}
        versions = {}
        for _ in range(self.options.rounds):
            frame = peer("frames", table, "penchant", self.work / "frame.data", **self.package())
            shutil.rmtree(self.work / "csv.data", ignore_errors=True)
            _, seconds, _ = run([self.penchant, "ingest", "--log", shop / "events.csv", *columns, "--out", self.work / "csv.data", "--quiet"])
            other = peer("frames", table, "pandas")
            for name, taken in (("penchant_frame", frame["seconds"]), ("penchant_csv", seconds), ("pandas", other["seconds"])):
                times[name].append(taken)
            versions = frame["versions"] | other["versions"]
        result = {name: summary(values) for name, values in times.items()}
        ours = result["penchant_frame"]["median"]
        return {"unit": "s", "rows": rows, "times": result, "versions": versions,
                "ratios": {name: result[name]["median"] / ours for name in ("penchant_csv", "pandas")}}

    def package_calls(self, epochs=4):
        data = self.gowalla()
        times = {name: [] for name in ("package", "command_line", "import")}
        for number in range(self.options.rounds):
            model, out = self.work / f"{number}.model", self.work / f"{number}.embeddings"
            calls = peer("package_calls", data, model, out, epochs, **self.package())
            times["package"].append(calls["train"] + calls["embed"])
            times["import"].append(calls["import"])
            command = [self.penchant, "train", data, "--out", f"{model}2", "--quiet", "--threads", self.options.threads]
            for setting in ("model.kind=lightgcn", f"train.epochs={epochs}", "train.refit=false"):
                command += ["--set", setting]
            trained = run(command)[1]
            times["command_line"].append(trained + run([self.penchant, "embed", data, f"{model}2", "--out", f"{out}2", "--quiet"])[1])
        result = {name: summary(values) for name, values in times.items()}
        return {"unit": "s", "epochs": epochs, "times": result,
                "package_over_command_line": result["package"]["median"] / result["command_line"]["median"]}

    def evaluate(self):
        data = self.gowalla()
        model = self.work / "gowalla.model"
        run([self.penchant, "train", data, "--out", model, "--quiet", "--set", "train.epochs=1", "--set",
             "train.refit=false"])
        times = {"all_metrics": [], "top_20": []}
        for _ in range(self.options.rounds):
            for name, rank_metrics in (("all_metrics", "true"), ("top_20", "false")):
                output, _, _ = run([self.penchant, "evaluate", data, model, "--json", "--quiet", "--set",
                                    "evaluate.cutoffs=[20]", "--set", f"evaluate.rank_metrics={rank_metrics}"])
                times[name].append(json.loads(output)["seconds"])
        return {"unit": "s", "users": json.loads(output)["num_users"],
                "times": {name: summary(values) for name, values in times.items()}}

    def lists(self):
        """From the model's files to a file of lists, the whole program; the peers' calls alone."""
        data = self.gowalla()
        model = self.work / "lists.model"
        run([self.penchant, "train", data, "--out", model, "--quiet", "--set", "model.kind=lightgcn", "--set", "train.epochs=1",
             "--set", "train.refit=false", "--set", "train.blend_filter=false", "--set", "train.calibrate_popularity=false"])
        run([self.penchant, "embed", data, model, "--out", self.work / "lists.embeddings", "--format", "npy", "--quiet"])
        times, anonymous, peers = {"penchant_parquet": [], "penchant_csv": []}, [], []
        for _ in range(self.options.rounds):
            for name in times:
                out = self.work / f"lists.{name.split('_')[1]}"
                _, seconds, peak = run_watched([self.penchant, "recommend", data, model, "--all-users", "--k", 20, "--out", out, "--quiet",
                                                "--threads", self.options.threads])
                times[name].append(seconds * 1e3)
                anonymous.append(peak)
            peers.append(peer("lists", self.work / "lists.embeddings", data, 20, self.options.threads))
        found = {name: summary([one["times_ms"][name] for one in peers if name in one["times_ms"]])
                 for name in peers[0]["times_ms"]}
        result = {name: summary(values) for name, values in times.items()} | found
        ours = result["penchant_parquet"]["median"]
        return {"unit": "ms", "times": result, "ratios": {name: one["median"] / ours for name, one in found.items()},
                "anonymous_bytes": max(anonymous), "same_items": peers[0].get("same_items"), "missing": peers[0]["missing"],
                "versions": peers[0]["versions"], "million_items": self.lists_of_a_million()}

    def lists_of_a_million(self, asked=4096):
        """Lists for some users of a shop of a million users and a million items; what they take does not depend on how many."""
        shop, data, model = self.work / "shop", self.work / "million.data", self.work / "million.model"
        run([self.penchant, "generate", "--out", shop, "--users", 1_000_000, "--items", 1_000_000, "--events", 3_000_000, "--quiet"])
        run([self.penchant, "ingest", "--config", shop / "shop.toml", "--out", data, "--quiet"])
        sizes = json.loads((data / "manifest.json").read_text())
        cheap = {"model.kind": "lightgcn", "model.num_layers": 1, "train.epochs": 1, "train.batch_size": 1_000_000, "train.validate_every": 0,
                 "graph.cooccurrence": "false", "graph.use_attributes": "false"}
        run([self.penchant, "train", data, "--out", model, "--quiet", *(word for key, value in cheap.items() for word in ("--set", f"{key}={value}"))])
        users = self.work / "users.txt"
        import pyarrow.parquet as pq
        ids = pq.read_table(data / "users.parquet", columns=["raw_id"])["raw_id"].to_pylist()
        users.write_text("\n".join(ids[:: max(1, len(ids) // asked)]) + "\n")
        _, seconds, peak = run_watched([self.penchant, "recommend", data, model, "--users", users, "--k", 20, "--out",
                                        self.work / "million.parquet", "--quiet", "--threads", self.options.threads])
        return {"users": sizes["num_users"], "items": sizes["num_items"], "lists": len(users.read_text().split()), "seconds": seconds,
                "anonymous_bytes": peak}

    def interest(self):
        data = self.beauty()
        epochs, events = 2, 1024
        variants = {"penchant_sequence": {"model.graph": "false", "model.item_graph": "false"}, "penchant_fused": {}}
        times = {name: [] for name in (*variants, "torch")}
        for round_number in range(self.options.rounds):
            for name, settings in variants.items():
                settings = {"model.kind": "interest", "model.ranking_head": "false", "train.epochs": epochs,
                            "train.batch_size": events, "train.validate_every": 0} | settings
                command = [self.penchant, "train", data, "--out", self.work / f"{name}{round_number}.model", "--quiet",
                           "--json", "--threads", self.options.threads]
                for key, value in settings.items():
                    command += ["--set", f"{key}={value}"]
                rows = json.loads((data / "manifest.json").read_text())
                targets = rows["num_train"] - rows["num_users"]
                times[name].append(targets * epochs / json.loads(run(command)[0])["seconds"])
            other = peer("interest", data, 60, events, self.options.threads)
            times["torch"].append(other["events_per_s"])
        result = {name: summary(values) for name, values in times.items()}
        return {"unit": "events/s", "rates": result, "versions": other["versions"],
                "ratios": {"torch": result["penchant_sequence"]["median"] / result["torch"]["median"]},
                "epoch_time_with_graph": result["penchant_sequence"]["median"] / result["penchant_fused"]["median"]}

    def beauty_recipe(self):
        runs = []
        for seed in (1, 2, 3):
            start = time.perf_counter()
            data = self.beauty()
            model = self.work / f"beauty{seed}.model"
            output, _, peak = run([self.penchant, "train", data, "--out", model, "--quiet", "--json", "--seed", seed,
                                   "--set", "model.kind=interest"])
            report = json.loads(output)
            output, _, _ = run([self.penchant, "evaluate", data, model, "--ranking", "full", "--json", "--quiet"])
            shutil.rmtree(data)
            runs.append({"seed": seed, "seconds": time.perf_counter() - start, "peak_bytes": peak,
                         "best_epoch": report["best_epoch"], "best_validation": report["best_validation"],
                         "evaluation": json.loads(output)})
        return {"unit": "s", "runs": runs,
                "median": {ranking: {name: statistics.median(run["evaluation"][key][name] for run in runs)
                                     for name in ("hit_rate@10", "ndcg@10")}
                           for ranking, key in (("vectors", "metrics"), ("full", "full"))} |
                {"seconds": statistics.median(run["seconds"] for run in runs)}}

    def gowalla_auto(self):
        return {"budget": self.options.budget} | self.three_seeds("--set", "model.kind=auto", "--budget", self.options.budget)

    def three_seeds(self, *recipe):
        """From raw text to test metrics at 20 on Gowalla."""
        runs = []
        for seed in (1, 2, 3):
            start = time.perf_counter()
            data = self.gowalla()
            model = self.work / f"seed{seed}.model"
            output, train_seconds, train_peak = run([self.penchant, "train", data, "--out", model, "--quiet", "--json", "--seed",
                                                     seed, *recipe])
            report, evaluate_seconds, peak = run([self.penchant, "evaluate", data, model, "--ranking", "full", "--json", "--quiet",
                                                  "--set", "evaluate.cutoffs=[20]", "--set", "evaluate.rank_metrics=false"])
            seconds = time.perf_counter() - start
            shutil.rmtree(data)
            training = json.loads(output) | json.loads((model / "manifest.json").read_text())
            runs.append({"seed": seed, "seconds": seconds, "train_seconds": train_seconds,
                         "evaluate_seconds": evaluate_seconds, "peak_bytes": max(train_peak, peak),
                         "vectors": json.loads(report)["metrics"], "full": json.loads(report)["full"]} |
                        {name: training[name] for name in ("chosen", "best_epoch", "best_validation", "popularity_weight")
                         if training.get(name, "") != ""})
        return {"unit": "s", "runs": runs,
                "median": {ranking: {name: statistics.median(run[ranking][name] for run in runs)
                                     for name in ("recall@20", "ndcg@20")} for ranking in ("vectors", "full")} |
                {"seconds": statistics.median(run["seconds"] for run in runs)}}

    def ablation(self):
        data = self.beauty()
        command = [self.penchant, "ablate", data, "--out", self.work / "ablation", "--set", "evaluate.ranking=full", "--json", "--quiet"]
        output, seconds, _ = run(command + (["--only", self.options.only] if self.options.only else []))
        return {"unit": "s", "seconds": seconds, "ablation": json.loads(output)}

    def shops(self):
        """What no setting takes and the interest model on three shops split by time, beside popularity, item-kNN and repeat purchases;
        EASE and implicit's factorisations, with options that the validation part chose."""
        result, versions = {}, {}
        wanted = lambda kind: not self.options.only or kind in self.options.only.split(",")
        for name in ("completejourney", "online-retail", "rees46"):
            data = self.work / f"{name}.data"
            run([self.penchant, "ingest", "--config", ROOT / f"examples/{name}.toml", "--out", data, "--quiet"])
            run([self.penchant, "graph", data, "--quiet"])
            result[name] = {}
            for kind, options in (("no_setting", []), ("interest", ["--set", "model.kind=interest"])):
                if not wanted(kind):
                    continue
                model = self.work / f"{name}.{kind}.model"
                _, seconds, _ = run([self.penchant, "train", data, "--out", model, "--quiet", *options])
                output, _, _ = run([self.penchant, "evaluate", data, model, "--ranking", "full", "--baselines", "--json", "--quiet"])
                result[name][kind] = {"train_seconds": seconds} | {
                    key: {metric: value for metric, value in metrics.items() if "@" in metric}
                    for key, metrics in json.loads(output).items() if key == "full" or key.endswith("metrics")}
            if wanted("peers"):
                found = peer("shop_factors", data, self.options.threads, OPENBLAS_NUM_THREADS="1")  # as `implicit` asks for
                versions = found["versions"]
                self.check_popularity(name, found["peers"]["popularity"]["metrics"], result[name])
                result[name]["peers"] = found["peers"]
        return {"unit": "metrics of the test part"} | result | ({"versions": versions} if versions else {})

    def check_popularity(self, name, metrics, ours):
        """The peers are judged as we are: popularity has the same metrics there, of this run or of the last."""
        last = self.options.out / "shops.json"
        if not ours and last.exists():
            ours = json.loads(last.read_text())[name]
        for kind in ours.values():
            for metric, value in metrics.items():
                if abs(value - kind["popularity_metrics"][metric]) > 1e-12:
                    sys.exit(f"compare: {name}: popularity has {metric} {value} by the peers, {kind['popularity_metrics'][metric]} by evaluate")

    def hidden_items(self):
        """Beauty and the Complete Journey sample with a tenth of the items hidden from training."""
        import hidden_items
        hide = ["--set", "data.split.method=hidden_items", "--set", "data.split.test_fraction=0.1"]
        no_items = ["--set", "graph.use_attributes=false", "--set", "graph.cooccurrence=false"]
        folder = pathlib.Path(os.environ["PENCHANT_DATA"])
        sources = {"beauty": ["--format", "s3rec", "--sequences", folder / "beauty/Beauty.txt", "--attributes",
                              folder / "beauty/Beauty_item2attributes.json"],
                   "completejourney": ["--config", ROOT / "examples/completejourney.toml"]}
        result = {}
        for name, source in sources.items():
            data = self.work / f"{name}.data"
            run([self.penchant, "ingest", *source, "--out", data, "--quiet", *hide])
            run([self.penchant, "graph", data, "--quiet"])
            for tag, options in (("graph", ["--set", "model.new_item_columns=192"]), ("alone", no_items)):
                model = self.work / f"{name}.{tag}.model"
                run([self.penchant, "train", data, "--out", model, "--quiet", "--set", "model.kind=lightgcn", *options])
                run([self.penchant, "embed", data, model, "--out", self.work / f"{name}.{tag}", "--format", "npy", "--quiet"])
            result[name] = hidden_items.compare(data, self.work / f"{name}.graph", self.work / f"{name}.alone")
        return {"unit": "recall@20 among hidden items"} | result

    def gowalla_vectors(self):
        return self.three_seeds("--config", ROOT / "examples/gowalla-vectors.toml")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=["spmm", "gnn", "graph_build", "orders", "epoch", "recommenders", "ingest", "frames", "package_calls",
                                          "evaluate", "lists", "gowalla", "gowalla_vectors", "gowalla_auto", "interest",
                                          "beauty", "hidden_items", "shops", "ablation", "locality", "overhead", "report",
                                          "serve"])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, help="5 without it; 40 of overhead, whose single rounds differ by half")
    parser.add_argument("--only", help="variants of ablation, peers of spmm, workloads of gnn, kinds of shops, separated by commas; all without it")
    parser.add_argument("--budget", default="60s", help="of gowalla_auto and serve")
    parser.add_argument("--requests", type=int, default=1_000_000, help="of serve, mixed with events and reloads")
    parser.add_argument("--other-python", help="of ingest: an interpreter with another version of pandas")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results")
    options = parser.parse_args()
    options.rounds = options.rounds or (40 if options.bench == "overhead" else 5)
    bench = Bench(options)
    try:
        whole = {"gowalla": bench.three_seeds, "beauty": bench.beauty_recipe}
        result = whole.get(options.bench, getattr(bench, options.bench, None))()
        facts = json.loads(run([bench.penchant, "info", "--json"])[0])
        facts["cuda"] = facts["cuda"].split(" (")[0]  # without this machine's paths
    finally:
        shutil.rmtree(bench.work)
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    result = {"bench": options.bench, "date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(),
              "machine": machine(), "penchant": facts} | result
    peers_alone = options.bench == "shops" and options.only == "peers"  # ours take hours and stay in shops.json
    path = options.out / f"{options.bench}{'_peers' if peers_alone else ''}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
