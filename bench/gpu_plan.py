# SPDX-License-Identifier: Apache-2.0
"""gpu_plan.py BIN: what bench/gpu.sh runs on a machine with a GPU, each check in a process of its own under a clock.

A machine may be lent for minutes: one command at most ten, few files back, and a fault of the device ends every later call of its
process. So
- a call has a total (`--seconds`), which no check outlives: each is cut at its own limit or at what is left, and what there is no
  time for is said;
- suites of tests are processes of their own, four at a time; timings run alone;
- of a check that fails the first failure is printed, and its suite is run once more with launches that wait, which tells a race from
  arithmetic;
- logs and results collect in `--results` (kept between calls), and after every part one archive of them stands in $OUT, or beside
  that folder: gpu_results.tgz. A call that is ended from outside has brought back what it had.

The default is a plan of two calls: `--call first` (420 s: smoke, suites plain, then as recorded graphs, small benchmarks, peers) and
`--call second` (300 s: large products, counters, variants, a catalogue, sanitizers). `--parts` names others. Exit status: 0, 1 if
anything failed, was cut or found no time, 3 without a GPU.

`--rehearse` walks the same plan with the same limits where there is no GPU, on a module that stands in for one (PENCHANT_CUDA_MODULE):
one in sixteen of a suite's cases, small graphs, no figure of use; what only a GPU can answer is named and left out.
"""
import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from gpu_call import ROOT, Call, Check, run_packed, suites

ON_GPU = "Backend/*/cuda"

# --- parts, in the order of their calls


def smoke(call):
    call.run(Check("smoke", [bench(call), "--smoke"], 30))
    shown = (call.results / "smoke.log").read_text(errors="replace") if (call.results / "smoke.log").exists() else ""
    print("".join(f"    {line}\n" for line in shown.splitlines()), end="", flush=True)


def plain_suites(call):
    call.run_all(suites(call, "kernels_test", f"{ON_GPU}:SpmmStreamed.*", "plain") +
                 suites(call, "models_test", ON_GPU, "plain") + suites(call, "graph_build_test", "*", "plain"))


def recorded_suites(call):
    """As recorded graphs, and what promises the same bits in every run."""
    graphs = {"PENCHANT_CUDA_GRAPHS": "1"}
    same_bits = ":".join(f"Backend/*{word}*/cuda" for word in ("SameBits", "DoNotInfluence", "RepeatedSteps"))
    call.run_all(suites(call, "models_test", ON_GPU, "graphs", graphs.items()) +
                 suites(call, "kernels_test", same_bits, "graphs", graphs.items()))


def shuffled(call):
    """Twice in a row the same, with other allocations between."""
    call.run_all([Check("again." + program, [str(call.bin / program), f"--gtest_filter={ON_GPU}", "--gtest_brief=1", "--gtest_shuffle",
                                             "--gtest_repeat=2"], 300) for program in ("kernels_test", "models_test")], 2)


def variants(call):
    """Every variant of an op under the same oracles. Of cuSPARSE's algorithms only the third promises bits."""
    def variant(name, pattern, limit=60, **environment):
        return [dataclasses.replace(check, name=check.name.replace("variant", name))
                for check in suites(call, "kernels_test", pattern, "variant", environment.items(), limit)]
    spmm = "Backend/*Spmm*/cuda"
    call.run_all(variant("streamed", spmm, PENCHANT_SPARSE_BYTES="4096") +
                 variant("cudnn", "Backend/*Convolution*/cuda", PENCHANT_CONVOLUTION="cudnn") +
                 variant("alg1", f"{spmm}-*SameBits*", PENCHANT_SPMM="alg1") +
                 variant("alg2", f"{spmm}-*SameBits*", PENCHANT_SPMM="alg2") +
                 variant("alg3", f"{spmm}-*ARowAlone*", PENCHANT_SPMM="alg3"))


def host_tables(call):
    """Tables of node vectors in host memory: every vector above 64 bytes is pinned, which takes its time."""
    forced = {"PENCHANT_SPARSE_BYTES": "20000", "PENCHANT_TABLE_BYTES": "64", "PENCHANT_STREAM_TABLES": "1"}
    call.run_all(suites(call, "kernels_test", ON_GPU, "tables", forced.items(), 120))


TEN_CASES = ("Gemm.AgreesWithTheOracle", "Linear.AgreesWithTheOracle", "Spmm.AgreesWithTheOracle", "Indexing.ScatterAccumulatesRepeatedIds",
             "SampledSoftmax.AgreesWithTheOracle", "Topk.NanScoresAreNeverChosen", "RankCounts.SmallExampleByHand",
             "Recurrent.AgreesWithTheOracle", "Convolution.AgreesWithTheOracle", "LayerNorm.BackwardAgreesWithTheOracleAlsoInPlace")
# The kernels that share memory: rows of the softmax, merge, segment and column sums, transposed tiles.
SHARING = ("SampledSoftmax.EqualScoresShareEqually", "Topk.NanScoresAreNeverChosen", "RankCounts.SmallExampleByHand",
           "Spmm.SameBitsAtOneAndTwoThreads", "Elementwise.AddColumnSumsAccumulates", "Convolution.SmallExampleByHand")


def sanitizer(call, tool, tests, limit, *options):
    command = shutil.which("compute-sanitizer")
    if not call.has(tool, "compute-sanitizer", command is not None):
        return
    known = subprocess.run([command, "--help"], capture_output=True, text=True).stdout
    # The libraries' kernels are not ours to judge; their probing calls, which fail on purpose, are no faults.
    wished = [("--kernel-name", "kns=penchant"), ("--report-api-errors", "no"), ("--launch-timeout", "0"), *options]
    chosen = [word for name, value in wished if name in known for word in (name, value)]
    pattern = tests if isinstance(tests, str) else ":".join(f"Backend/{test}/cuda" for test in tests)
    call.run(Check(tool, [command, "--tool", tool, "--error-exitcode", "9", *chosen, str(call.bin / "kernels_test"),
                          f"--gtest_filter={pattern}", "--gtest_brief=1"], limit))


def memcheck(call):
    # The races are uses of memory outside the order of the stream that gave it.
    sanitizer(call, "memcheck", TEN_CASES, 70, ("--padding", "64"), ("--track-stream-ordered-races", "all"))


def racecheck(call):
    sanitizer(call, "racecheck", SHARING, 60)


def sanitizers(call):
    """All cases under all tools: far longer than a default call."""
    for tool in ("memcheck", "racecheck", "synccheck", "initcheck"):
        sanitizer(call, tool, ON_GPU, 540)


def bench(call):
    return str(call.bin / "gpu_bench")


def measure(call, part, limit):
    call.run(Check(f"bench_{part}", [bench(call), "--part", part, "--work", str(call.results.parent / "arrays"), *data_options(call)], limit,
                   output=f"gpu_bench_{part}.jsonl"))


def data_options(call):
    if call.rehearsal:
        return ["--small"]
    folder = os.environ.get("PENCHANT_DATA", "")
    return ["--data", folder] if folder and (pathlib.Path(folder) / "gowalla/train.txt").exists() else []


def small_benches(call):
    measure(call, "spmm", 90)
    measure(call, "steps", 45)
    measure(call, "topk", 30)


def large_products(call):
    measure(call, "spmm_large", 100)


def all_products(call):
    measure(call, "spmm_all", 300)


def catalogue(call):
    measure(call, "catalogue", 80)


def peers(call):
    if not call.has("peers", "PyTorch", subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0):
        return
    # By PyTorch's own libraries, not by those that were packed.
    call.run(Check("peers", [sys.executable, "bench/peers/gpu.py", *data_options(call)], 120,
                   {"LD_LIBRARY_PATH": os.environ.get("PENCHANT_PEER_LIBRARIES", "")}, output="gpu_peers.jsonl"))


def profile(call):
    """Counters of one product: which of L2, DRAM and latency binds it. Clocks stay as they are."""
    if not call.has("profile", "ncu", shutil.which("ncu") is not None):
        return
    for graph in ("gowalla", "10m"):
        call.run(Check(f"profile_{graph}", [
            "ncu", "--csv", "--page", "raw", "--print-units", "base", "--clock-control", "none", "--target-processes", "all",
            "--kernel-name", "regex:spmm_binned", "--launch-skip", "1", "--launch-count", "1", "--section", "SpeedOfLight",
            "--section", "MemoryWorkloadAnalysis", "--section", "WarpStateStats", "--metrics",
            "dram__bytes.sum,gpu__time_duration.sum,lts__t_bytes.sum.per_second,l1tex__t_sector_hit_rate.pct,smsp__issue_active.avg.pct_of_peak_sustained_active",
            bench(call), "--profile", graph, *data_options(call)], 60, output=f"gpu_profile_{graph}.csv"))


def gowalla(call):
    """From Gowalla's raw text to test metrics, by the recipes of examples/."""
    program = call.bin / "penchant"
    if not program.exists():
        call.skip("gowalla", "the program was not packed (pack --program)")
    elif not data_options(call):
        call.skip("gowalla", "PENCHANT_DATA has no gowalla/train.txt")
    else:
        for recipe in ("gowalla", "gowalla-auto"):
            call.run(Check(f"recipe_{recipe}", [str(program), "run", f"examples/{recipe}.toml", "--device", "cuda", "--quiet", "--json"], 240,
                           {"PENCHANT_OUT": str(call.results.parent / "recipes")}, output=f"gpu_{recipe}.json"))


PARTS = {"smoke": smoke, "suites": plain_suites, "graphs": recorded_suites, "bench": small_benches, "peers": peers,
         "large": large_products, "profile": profile, "variants": variants, "catalogue": catalogue, "memcheck": memcheck,
         "racecheck": racecheck, "again": shuffled, "tables": host_tables, "all_products": all_products, "sanitizers": sanitizers,
         "gowalla": gowalla}
# With the seconds of each: a part has to end by the sum of its own and those before, so that one that hangs leaves the others theirs.
CALLS = {"first": {"smoke": 40, "suites": 150, "graphs": 70, "bench": 90, "peers": 70},
         "second": {"large": 80, "profile": 50, "variants": 50, "catalogue": 50, "memcheck": 40, "racecheck": 30}}


def machine(call, device):
    """What the figures were made on: one line of JSON."""
    libraries = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()
                 if (dist.metadata["Name"] or "").startswith(("nvidia-", "torch"))}
    driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version,clocks.sm,power.limit", "--format=csv,noheader"], capture_output=True,
                            text=True).stdout.strip() if shutil.which("nvidia-smi") else None
    linked = run_packed(["ldd", os.environ.get("PENCHANT_CUDA_MODULE", "")], 30).stdout
    files = dict(re.findall(r"^\s*(lib(?:cublas|cusparse|cudnn|cusolver)\S*) => (\S+)", linked, re.M))
    # --module needs the names that programs are linked by, which wheels do not have.
    toolkit = sorted(path.name for path in pathlib.Path("/usr/local/cuda/lib64").glob("libcublas*.so"))
    missing = re.findall(r"^\s*(\S+) => not found", linked, re.M)
    if missing:
        print("==> not found by the module:", *missing, flush=True)
    (call.results / "machine.json").write_text(json.dumps({"device": device, "driver": driver, "packages": libraries, "libraries": files,
                                                           "missing": missing, "toolkit": toolkit}) + "\n")


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path, help="the folder of what was packed")
    parser.add_argument("--call", choices=CALLS, default="first", help="which half of the default plan")
    parser.add_argument("--smoke", action="store_true", help="only the smoke test, 30 s")
    parser.add_argument("--rehearse", action="store_true", help="without a GPU: the same plan, small")
    parser.add_argument("--parts", help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, help="the whole call; default 420, of the second call 300, of --parts 540")
    parser.add_argument("--limit", type=float, default=float("inf"), help="the most that one check may take")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build" / "gpu", help="logs and results of all calls")
    arguments = parser.parse_args()
    arguments.bin = arguments.bin.resolve()
    if arguments.smoke:
        arguments.parts = "smoke"
    names = arguments.parts.split(",") if arguments.parts else list(CALLS[arguments.call])
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"--parts names '{unknown[0]}', expected some of {', '.join(PARTS)}")
    arguments.names = names
    arguments.seconds = arguments.seconds or (540 if arguments.parts else sum(CALLS[arguments.call].values()))
    # Parts by name share the time as they come.
    arguments.shares = CALLS[arguments.call] if not arguments.parts else {name: 540 for name in names[:1]}
    return arguments


def main():
    arguments = options()
    try:
        checked = run_packed([bench(arguments), "--check"], 60)
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"gpu_plan.py: {error}")
    if checked.returncode != 0:
        print(checked.stderr.strip(), file=sys.stderr)
        sys.exit(3)
    device = checked.stdout.strip()
    print("==>", device, flush=True)
    call = Call(arguments)
    machine(call, device)

    def ended(number, _):
        call.end_all()
        call.archive()
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, ended)
    used = 0
    for name in arguments.names:
        used += arguments.shares.get(name, 0)
        call.part_by(used / sum(arguments.shares.values()))
        try:
            PARTS[name](call)
        except Exception as error:  # a part that breaks must not take the others' results with it
            call.skip(name, f"{type(error).__name__}: {error}")
        call.archive()
    print("", device, *call.verdicts, sep="\n", flush=True)
    report = subprocess.run([sys.executable, str(ROOT / "bench" / "gpu_report.py"), str(arguments.results)], capture_output=True, text=True)
    print(report.stdout + report.stderr, flush=True)
    (arguments.results / "report.txt").write_text(report.stdout)
    print(f"==> {call.archive()}", flush=True)
    sys.exit(1 if call.bad else 0)


if __name__ == "__main__":
    main()
