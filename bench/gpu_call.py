# SPDX-License-Identifier: Apache-2.0
"""One command's time on a machine with a GPU: checks in processes of their own under a clock, what came of them, and the archive that
is brought back. What is checked is gpu_plan.py's."""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
AT_ONCE = 4
KEPT_BACK_S = 6  # of a call's time, for the archive and the report
OF_SUITES = {"OMP_NUM_THREADS": "4", "OMP_WAIT_POLICY": "passive"}  # several share the machine
REHEARSED = 16  # of a rehearsal's cases one in so many is run
SHORTEST_S = 2  # a check is not started with less
FIRST_FAILURE = re.compile(r"Failure$|FAILED:|\berror\b|Error|terminate called|Segmentation|Aborted|Misaligned|Invalid __|Race reported")


@dataclasses.dataclass
class Check:
    name: str
    command: list
    limit: float = 60
    environment: dict = dataclasses.field(default_factory=dict)
    output: str = None  # where its standard output goes; else to the log
    suite: bool = False  # of tests: worth a second run, launch by launch


class Call:
    """One command's time, its checks and what came of them."""

    def __init__(self, arguments):
        # What unpacking and looking for the device took is spent.
        spent = time.time() - float(os.environ.get("PENCHANT_CALL_BEGAN", time.time()))
        self.began = time.monotonic() - spent
        self.seconds = arguments.seconds
        self.part_by(1.0)
        self.longest = arguments.limit
        self.results = arguments.results
        self.bin = arguments.bin
        self.rehearsal = arguments.rehearse
        self.verdicts = []
        self.bad = 0
        self.lock = threading.Lock()
        self.running = set()
        self.ended = False
        self.results.mkdir(parents=True, exist_ok=True)

    def part_by(self, share):
        """What follows has to end by that share of the call's time."""
        self.ends = self.began + share * self.seconds - KEPT_BACK_S

    def left(self):
        return self.ends - time.monotonic()

    def say(self, name, verdict, seconds=None):
        line = f"{name:<34} {verdict}" + (f" {seconds:6.1f} s" if seconds is not None else "")
        with self.lock:
            self.verdicts.append(line)
            print("==>", line, flush=True)
        with (self.results / "verdicts.jsonl").open("a") as file:
            file.write(json.dumps({"check": name, "verdict": verdict, "seconds": seconds}) + "\n")

    def skip(self, name, why):
        """What cannot be run counts as bad: the plan asked for it."""
        with self.lock:
            self.bad += 1
        self.say(name, f"not run: {why}")

    def has(self, name, tool, found):
        """Whether to run what needs a tool; of no use without a GPU, it does not belong to a rehearsal."""
        if self.rehearsal:
            self.say(name, f"left out of the rehearsal: {tool} needs a GPU")
        elif not found:
            self.skip(name, f"no {tool}")
        return found and not self.rehearsal

    def run(self, check):
        limit = min(check.limit, self.longest, self.left())
        if self.ended or limit < SHORTEST_S:
            self.skip(check.name, "no time left")
            return False
        log = self.results / f"{check.name}.log"
        start = time.monotonic()
        # The packed libraries come first for what was packed, and for nothing else.
        environment = {**os.environ, "LD_LIBRARY_PATH": program_libraries(), **check.environment}
        output = (self.results / check.output).open("w") if check.output else None
        with log.open("w") as file:
            process = subprocess.Popen(check.command, stdout=output or file, stderr=file, env=environment, cwd=ROOT, process_group=0)
            with self.lock:
                self.running.add(process)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
                end(process)
            with self.lock:
                self.running.discard(process)
        if output:
            output.close()
        seconds = time.monotonic() - start
        if code == 0:
            self.say(check.name, "ok    ", seconds)
            return True
        with self.lock:
            self.bad += 1
        self.say(check.name, "CUT   " if code is None else f"FAILED ({code})", seconds)
        self.show(log)
        return False

    def show(self, log):
        """The first failure and the end: of a fault that repeats itself both are short."""
        lines = log.read_text(errors="replace").splitlines()
        first = next((k for k, line in enumerate(lines) if FIRST_FAILURE.search(line)), None)
        shown = lines[first:first + 6] if first is not None else []
        rest = lines[max(len(lines) - 5, (first or 0) + 6 if first is not None else 0):]
        with self.lock:
            for line in shown + (["..."] if shown and rest else []) + rest:
                print("   ", line[:300], flush=True)

    def run_all(self, checks, at_once=AT_ONCE):
        waiting = list(checks)
        failed = []

        def work():
            while True:
                with self.lock:
                    if not waiting:
                        return
                    check = waiting.pop(0)
                if not self.run(check):
                    with self.lock:
                        failed.append(check)

        threads = [threading.Thread(target=work) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for check in [check for check in failed if check.suite][:3]:
            again = {**check.environment, "CUDA_LAUNCH_BLOCKING": "1", "PENCHANT_SYNC_LAUNCHES": "1"}
            if self.left() > 2 * SHORTEST_S:
                self.run(dataclasses.replace(check, name=check.name + ".waiting", environment=again, suite=False))

    def end_all(self):
        self.ended = True
        for process in list(self.running):
            end(process)

    def archive(self):
        """Written beside its place and renamed: whoever fetches it finds a whole one."""
        folder = pathlib.Path(os.environ.get("OUT") or self.results.parent)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / "gpu_results.tgz"
        temporary = self.results.parent / ".gpu_results.part"
        with tarfile.open(temporary, "w:gz") as tar:
            for path in sorted(self.results.iterdir()):
                tar.add(path, arcname=path.name)
        shutil.move(temporary, target)
        return target


def end(process):
    """With everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def program_libraries():
    return os.environ.get("PENCHANT_PROGRAM_LIBRARIES", os.environ.get("LD_LIBRARY_PATH", ""))


def run_packed(command, timeout):
    """Returns what a packed program prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env={**os.environ, "LD_LIBRARY_PATH": program_libraries()})


def suites(call, program, pattern, label, environment=(), limit=60):
    """A check for each suite of a test program."""
    binary = str(call.bin / program)
    try:
        listed = run_packed([binary, "--gtest_list_tests", f"--gtest_filter={pattern}"], 30)
    except (OSError, subprocess.TimeoutExpired) as error:
        call.skip(f"{label}.{program}", str(error))
        return []
    tests = {}
    for line in listed.stdout.splitlines():
        name = line.split("#")[0].rstrip()
        if re.fullmatch(r"\S+\.", name):
            suite = tests.setdefault(name, [])
        elif name.startswith("  "):
            suite.append(name.strip())
    if not tests:
        call.skip(f"{label}.{program}", f"it lists no test for {pattern}: {listed.stderr.strip()[-200:]}")
    if call.rehearsal:
        environment = (*environment, ("GTEST_TOTAL_SHARDS", str(REHEARSED)), ("GTEST_SHARD_INDEX", "0"))
    return [Check(f"{label}.{suite.strip('.').removeprefix('Backend/').replace('/', '_')}",
                  [binary, "--gtest_filter=" + ":".join(suite + name for name in names), "--gtest_brief=1"], limit,
                  {**OF_SUITES, **dict(environment)}, suite=True) for suite, names in tests.items()]
