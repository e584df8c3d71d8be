# SPDX-License-Identifier: Apache-2.0
"""gpu_plan_test.py ROOT BUILD: bench/gpu.sh from end to end where there is no GPU. Programs that only pretend to be tests and benchmarks
show that limits hold, whatever a check does, and that one archive comes back; the real programs rehearse the whole plan on the stand-in
for a GPU, and run on the emulation (BUILD/tests/libpenchant_cuda_stand_in.so, libpenchant_simt_module.so), as far as they were built."""
import argparse
import contextlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

ROOT = pathlib.Path(sys.argv[1]).resolve()
BUILD = pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(ROOT / "bench"))

# Lists two suites. What a test does stands in BEHAVIOUR: a JSON object of suite to what happens.
PRETENDED_TEST = '''#!/usr/bin/env python3
import json, os, subprocess, sys, time
pattern = next(word.split("=", 1)[1] for word in sys.argv[1:] if word.startswith("--gtest_filter="))
if "--gtest_list_tests" in sys.argv:
    print("Running main() from somewhere")
    for suite in ("Gemm", "Spmm"):
        print(f"Backend/{suite}.\\n  AgreesWithTheOracle/cuda  # GetParam() = \\"cuda\\"\\n  SameBits/cuda  # GetParam() = \\"cuda\\"")
    sys.exit(0)
with open(os.environ["SEEN"], "a") as file:
    file.write(json.dumps({"filter": pattern, "program": os.path.basename(sys.argv[0]), "graphs": os.environ.get("PENCHANT_CUDA_GRAPHS"),
                           "waiting": os.environ.get("CUDA_LAUNCH_BLOCKING"), "libraries": os.environ["LD_LIBRARY_PATH"],
                           "spmm": os.environ.get("PENCHANT_SPMM")}) + "\\n")
what = next((value for name, value in json.loads(os.environ.get("BEHAVIOUR", "{}")).items() if name in pattern), "pass")
if what == "hang":
    child = subprocess.Popen(["sleep", "1000"])
    print("began", child.pid, flush=True)
    time.sleep(1000)
if what == "fail":
    print("noise\\n" * 50 + "gemm_test.cc:44: Failure\\nExpected: right\\n  Actual: wrong\\n" + "consequence: Failure\\n" * 100 + "the end")
    sys.exit(1)
'''
PRETENDED_BENCH = '''#!/usr/bin/env python3
import json, os, sys, time
words = sys.argv[1:]
if "--check" in words:
    if os.environ.get("NO_DEVICE"):
        sys.exit(print("gpu_bench: no device", file=sys.stderr) or 3)
    sys.exit(print("a device"))
if "--smoke" in words:
    sys.exit(print("product... ok"))
if "--profile" in words:
    sys.exit(0)
time_of = {"median": 2.0, "min": 1.0, "max": 3.0}
part = words[words.index("--part") + 1]
row = {"part": "spmm", "graph": "g", "nodes": 10, "entries": 20, "d": 64, "own": time_of, "alg1": time_of, "alg2": time_of, "alg3": time_of,
       "gathered_tb_per_s": 1.0, "speed_up": 1.5, "bf16_speed_up": 1.2}
lines = {"spmm": [{"part": "copy", "copy_tb_per_s": 3.0}, row],
         "steps": [{"part": "lightgcn", "graphs": graphs, "batch": 1, "steps_an_epoch": 10, "step": time_of} for graphs in (False, True)]}
for line in lines.get(part, []):
    print(json.dumps(line), flush=True)
if os.environ.get("SLOW_PART") == part:
    time.sleep(1000)
'''
PRETENDED_TOOL = '''#!/bin/sh
if [ "$1" = --help ]; then echo "--kernel-name --report-api-errors --padding"; exit 0; fi
case $0 in
  *ncu) printf '"ID","dram__bytes.sum","gpu__time_duration.sum"\\n"","byte","ns"\\n"0","2,000,000","1000"\\n' ;;
  *) echo "$@" > "$TOOL_SEEN" ;;
esac
'''
PRETENDED_TORCH = '''import json, sys
if sys.argv[0].endswith("gpu.py"):
    print(json.dumps({"part": "lightgcn", "step": {"median": 8.0}}))
    sys.exit(0)
'''


class Walk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("bin", "tools", "python", "out"):
            (self.folder / name).mkdir()
        for name, text in (("bin/kernels_test", PRETENDED_TEST), ("bin/models_test", PRETENDED_TEST), ("bin/graph_build_test", PRETENDED_TEST),
                           ("bin/gpu_bench", PRETENDED_BENCH), ("tools/ncu", PRETENDED_TOOL), ("tools/compute-sanitizer", PRETENDED_TOOL)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        (self.folder / "python" / "torch.py").write_text(PRETENDED_TORCH)

    def environment(self, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PENCHANT_")}
        return {**kept, "PATH": f"{self.folder}/tools:{os.environ['PATH']}", "PYTHONPATH": f"{self.folder}/python",
                "OUT": str(self.folder / "out"), "SEEN": str(self.folder / "seen"), "TOOL_SEEN": str(self.folder / "tool_seen"), **variables}

    def command(self, *options):
        return [str(ROOT / "bench/gpu.sh"), "--results", str(self.folder / "results"), *options, str(self.folder / "bin")]

    def run_plan(self, *options, **variables):
        start = time.monotonic()
        done = subprocess.run(self.command(*options), env=self.environment(**variables), capture_output=True, text=True, timeout=420)
        self.elapsed = time.monotonic() - start
        return done

    def archive(self):
        """What came back: exactly one file."""
        files = list((self.folder / "out").iterdir())
        self.assertEqual([file.name for file in files], ["gpu_results.tgz"])
        with tarfile.open(files[0]) as tar:
            return {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}

    def seen(self):
        return [json.loads(line) for line in (self.folder / "seen").read_text().splitlines()]

    def assert_dead(self, pid):
        for _ in range(50):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            if "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]:
                return  # ended, and not yet waited for by init
            time.sleep(0.1)
        self.fail(f"process {pid} runs on")


class Plan(Walk):
    """Pretended programs."""

    def test_default_plan_is_two_calls_and_one_archive(self):
        import gpu_plan
        self.assertEqual({name: sum(parts.values()) for name, parts in gpu_plan.CALLS.items()}, {"first": 420, "second": 300})
        first = self.run_plan()
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        brought = self.archive()
        self.assertIn("product... ok", first.stdout)
        self.assertIn("PyG / ours 4.00x", first.stdout)  # 8 ms of the peer, 2 of ours
        self.assertEqual([json.loads(line)["part"] for line in brought["gpu_bench_spmm.jsonl"].splitlines()], ["copy", "spmm"])
        # Plain before graphs, a suite a process, the packed libraries first.
        graphs = [one["graphs"] for one in self.seen()]
        self.assertEqual(graphs, sorted(graphs, key=lambda value: value is not None))
        self.assertIn("1", graphs)
        for one in self.seen():
            self.assertEqual(len({test.rsplit(".", 1)[0] for test in one["filter"].split(":")}), 1)
            self.assertTrue(one["libraries"].startswith(str(self.folder / "bin")))
        # The folder of results is kept, what came back is not.
        (self.folder / "out" / "gpu_results.tgz").unlink()
        second = self.run_plan("--call", "second")
        self.assertEqual(second.returncode, 0, second.stdout + second.stderr)
        brought = self.archive()
        for name in ("smoke.log", "plain.Gemm.log", "graphs.Spmm.log", "memcheck.log", "gpu_peers.jsonl", "gpu_profile_10m.csv", "machine.json",
                     "report.txt"):
            self.assertIn(name, brought)
        self.assertIn("product of 10m: DRAM 2.00 TB/s, 67 % of the copy", second.stdout)
        self.assertEqual({one["spmm"] for one in self.seen()}, {None, "alg1", "alg2", "alg3"})
        self.assertIn("--report-api-errors no", (self.folder / "tool_seen").read_text())
        self.assertNotIn("--track-stream-ordered-races", (self.folder / "tool_seen").read_text())  # this tool does not know it

    def test_a_check_that_hangs_is_cut_with_what_it_started(self):
        done = self.run_plan("--parts", "suites,bench", "--limit", "6", BEHAVIOUR='{"Gemm": "hang"}')
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"plain\.Gemm +CUT")
        self.assertRegex(done.stdout, r"plain\.Spmm +ok")
        self.assertRegex(done.stdout, r"bench_topk +ok")
        self.assert_dead(int(self.archive()["plain.Gemm.log"].split()[1]))

    def test_a_call_ends_in_its_time_and_says_what_was_not_run(self):
        done = self.run_plan("--parts", "bench,suites", "--seconds", "18", SLOW_PART="steps")
        self.assertLess(self.elapsed, 18)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"bench_spmm +ok")
        self.assertRegex(done.stdout, r"bench_steps +CUT")
        self.assertRegex(done.stdout, r"bench_topk +not run: no time left")
        self.assertRegex(done.stdout, r"plain\.Gemm +not run: no time left")
        # Its results until then are there, and in the table.
        self.assertEqual(len(self.archive()["gpu_bench_steps.jsonl"].splitlines()), 2)
        self.assertIn("LightGCN step 2.000 ms", done.stdout)

    def test_both_calls_end_in_their_time_when_suites_hang_and_leave_the_others_theirs(self):
        hang = {"BEHAVIOUR": '{"": "hang"}', "SLOW_PART": "spmm_large"}
        for call, part in (("first", "bench_topk"), ("second", "bench_catalogue")):
            done = self.run_plan("--call", call, "--seconds", "30", **hang)
            self.assertLess(self.elapsed, 30)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, rf"{part} +ok")
            self.archive()
            (self.folder / "out" / "gpu_results.tgz").unlink()

    def test_the_first_failure_is_shown_and_its_suite_run_again_waiting(self):
        done = self.run_plan("--parts", "suites", BEHAVIOUR='{"Gemm": "fail"}')
        self.assertEqual(done.returncode, 1)
        self.assertIn("gemm_test.cc:44: Failure", done.stdout)
        self.assertIn("the end", done.stdout)
        self.assertLess(done.stdout.count("consequence"), 100)  # of 600
        self.assertRegex(done.stdout, r"plain\.Gemm\.waiting +FAILED \(1\)")
        self.assertIn("1", [one["waiting"] for one in self.seen()])

    def test_ended_from_outside_it_brings_back_what_it_had(self):
        process = subprocess.Popen(self.command("--parts", "smoke,suites"), stdout=subprocess.PIPE, text=True,
                                   env=self.environment(BEHAVIOUR='{"Gemm": "hang"}'))
        log = self.folder / "results" / "plain.Gemm.log"
        for _ in range(200):
            if log.exists() and "began" in log.read_text():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertIn("smoke.log", self.archive())
        self.assert_dead(int(log.read_text().split()[1]))

    def test_without_a_device_nothing_runs(self):
        done = self.run_plan(NO_DEVICE="1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no device", done.stderr)
        self.assertFalse((self.folder / "seen").exists())

    def test_refuses_what_it_does_not_know(self):
        done = self.run_plan("--parts", "suites,speed")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--parts names 'speed', expected some of smoke,", done.stderr)
        self.assertEqual(self.run_plan("--call", "third").returncode, 2)
        self.assertEqual(self.run_plan("--fast").returncode, 1)

    def test_a_tool_that_is_missing_is_a_row_and_a_failure(self):
        (self.folder / "tools" / "compute-sanitizer").unlink()
        done = self.run_plan("--parts", "memcheck")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"memcheck +not run: no compute-sanitizer")


class RealPrograms(Walk):
    def use(self, module, *programs):
        module = BUILD / module
        self.needed = {program.rsplit("/", 1)[1]: BUILD / program for program in programs}
        missing = [str(path) for path in (module, *self.needed.values()) if not path.exists()]
        if missing:
            self.skipTest(f"not built: {', '.join(missing)}")
        for name, path in self.needed.items():
            (self.folder / "bin" / name).unlink()
            (self.folder / "bin" / name).symlink_to(path)
        self.module = {"PENCHANT_CUDA_MODULE": str(module)}


class OnTheStandIn(RealPrograms):
    """Limits cut what a busy machine does not finish; whatever ended did so well."""

    def test_the_whole_plan_rehearsed_within_its_limits(self):
        self.use("tests/libpenchant_cuda_stand_in.so", "tests/kernels_test", "tests/models_test", "tests/graph_build_test", "bench/gpu_bench")
        for call, seconds, needs_gpu in (("first", 420, {"peers"}), ("second", 300, {"profile", "memcheck", "racecheck"})):
            done = self.run_plan("--rehearse", "--call", call, **self.module)
            self.assertLess(self.elapsed, seconds)
            self.assertNotIn("FAILED", done.stdout)
            brought = self.archive()
            verdicts = {one["check"]: one["verdict"].strip() for one in map(json.loads, brought["verdicts.jsonl"].splitlines())}
            self.assertEqual({name for name, verdict in verdicts.items() if "left out of the rehearsal" in verdict}, needs_gpu)
            unfinished = {name for name, verdict in verdicts.items() if verdict != "ok"} - needs_gpu
            self.assertTrue(all(verdicts[name] in ("CUT", "not run: no time left") for name in unfinished), verdicts)
            self.assertEqual(done.returncode, 1 if unfinished else 0, done.stdout + done.stderr)
            if call == "first":
                self.assertEqual(verdicts["smoke"], "ok")
                self.assertGreater(len(verdicts), 60)
            (self.folder / "out" / "gpu_results.tgz").unlink()
            (self.folder / "results" / "verdicts.jsonl").unlink()
            if not unfinished:
                parts = {json.loads(line)["part"] for name, text in brought.items() if name.startswith("gpu_bench_") for line in text.splitlines()}
                self.assertLess({"first": {"spmm", "lightgcn", "lstm", "interest", "topk"}, "second": {"spmm", "catalogue"}}[call], parts)


class OnTheEmulation(RealPrograms):
    def setUp(self):
        super().setUp()
        self.use("tests/libpenchant_simt_module.so", "tests/kernels_test", "bench/gpu_bench")

    def test_smoke(self):
        done = self.run_plan("--smoke", **self.module)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("product (cuBLASLt)... ok", done.stdout)
        self.assertNotIn("FAILED", self.archive()["smoke.log"])

    def test_suites_as_processes(self):
        import gpu_call
        os.environ |= self.module | {"OUT": str(self.folder / "out")}
        call = gpu_call.Call(argparse.Namespace(seconds=120, limit=60, rehearse=False, results=self.folder / "results", bin=self.folder / "bin"))
        checks = {check.name: check for check in gpu_call.suites(call, "kernels_test", "Backend/*/cuda", "plain")}
        self.assertGreater(len(checks), 20)
        with contextlib.redirect_stdout(io.StringIO()):
            call.run_all([checks["plain.Gemm"], checks["plain.Adam"]])
            call.archive()
        self.assertEqual(call.bad, 0)
        self.assertIn("[  PASSED  ] 6 tests.", self.archive()["plain.Gemm.log"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
