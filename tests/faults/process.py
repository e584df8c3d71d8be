# SPDX-License-Identifier: Apache-2.0
"""Runs the program under the preloaded library, and judges its ends."""
import dataclasses
import errno
import os
import re
import signal
import socket
import struct
import subprocess
import threading

import judge
import tiny_shop

CLASSES = ["allocate", "map", "thread", "open_read", "open_write", "read", "write", "rename", "mkdir", "flush", "close",
           "truncate"]
MEMORY = {"allocate", "map", "thread"}
# What the system may answer; 0 of write: half of the bytes, and no error.
ERRORS = {"allocate": [errno.ENOMEM], "map": [errno.ENOMEM], "thread": [errno.EAGAIN],
          "open_read": [errno.EMFILE, errno.EACCES, errno.EIO], "open_write": [errno.EMFILE, errno.EACCES, errno.ENOSPC],
          "read": [errno.EIO], "write": [errno.ENOSPC, errno.EIO, 0], "rename": [errno.ENOSPC, errno.EIO, errno.EACCES],
          "mkdir": [errno.ENOSPC, errno.EACCES], "flush": [errno.EIO, errno.ENOSPC], "close": [errno.EIO],
          "truncate": [errno.EIO]}
TIMEOUT = 60


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    number: int
    error: int
    mode: str

    def text(self):
        return f"{self.kind}:{self.number}:{self.error}:{self.mode}"


@dataclasses.dataclass
class End:
    code: int  # negative: the signal; None: it did not end
    out: str
    err: str
    counts: dict
    failed: int
    frames: list


def read_report(path):
    with open(path, "rb") as file:
        content = file.read()
    numbers = struct.unpack_from(f"<{len(CLASSES) + 2}Q", content)
    frames = content[8 * (len(CLASSES) + 2):].split(b"\0")[0].decode(errors="replace").splitlines()
    return dict(zip(CLASSES, numbers)), numbers[len(CLASSES)], frames


class Server:
    """The program, loaded once for a scenario; copies of it run. For one thread at a time."""
    def __init__(self, program, scenario, library):
        self.socket, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [program, *scenario.arguments], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
            env=tiny_shop.environment(LD_PRELOAD=library, PENCHANT_FAULT_SERVER=str(theirs.fileno())))
        theirs.close()
        self.answers = self.socket.makefile("r")

    def run(self, folder, fault):
        report, out, err = (f"{folder}.{name}" for name in ("report", "out", "err"))
        if os.path.exists(report):
            os.remove(report)
        self.socket.sendall("\t".join([folder, fault.text(), report, out, err]).encode() + b"\n")
        child = int(self.answers.readline())
        timer = threading.Timer(TIMEOUT, os.kill, (child, signal.SIGKILL))
        timer.start()
        status = int(self.answers.readline())
        hung = not timer.is_alive()
        timer.cancel()
        code = None if hung else os.waitstatus_to_exitcode(status)
        texts = []
        for path in (out, err):
            with open(path, errors="replace") as file:
                texts.append(file.read())
        counts, failed, frames = read_report(report)
        return End(code, without_times(texts[0]), texts[1], counts, failed, frames)

    def close(self):
        self.socket.close()
        self.answers.close()
        self.process.kill()
        self.process.wait()


NO_FAULT = Fault("allocate", 0, 0, "once")
servers = threading.local()


def server_of(program, scenario, library):
    if not hasattr(servers, "known"):
        servers.known = {}
    if scenario not in servers.known:
        servers.known[scenario] = Server(program, scenario, library)
    return servers.known[scenario]


def run(program, scenario, folder, library=None, fault=None, words=(), record=None):
    """Without a library: as users do."""
    if library and not words and not record:
        return server_of(program, scenario, library).run(folder, fault or NO_FAULT)
    more = {"LD_PRELOAD": library, "PENCHANT_FAULT": NO_FAULT.text(), "PENCHANT_FAULT_RECORD": record} if record else {}
    process = subprocess.Popen([program, *scenario.arguments, *words], cwd=folder, env=tiny_shop.environment(**more),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace")
    try:
        out, err = process.communicate(timeout=TIMEOUT)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        code = None
    return End(code, without_times(out), err, {}, 0, [])


@dataclasses.dataclass
class Reference:
    """A scenario without faults: twice, so that what differs from run to run is known."""
    before: dict
    right: dict
    out: str  # None: it differs from run to run
    counts: dict


def reference(program, library, base, scenario, folder):
    ends, trees = [], []
    for _ in range(2):
        tiny_shop.lay_out(base, scenario, folder)
        before = judge.tree(folder)
        ends.append(run(program, scenario, folder, library))
        trees.append(judge.tree(folder))
        if ends[-1].code != 0:
            raise SystemExit(f"faults: {scenario.name}: without a fault it ends with {ends[-1].code}: {ends[-1].err}")
    differing = sorted(path for path in trees[0].keys() | trees[1].keys() if trees[0].get(path) != trees[1].get(path))
    if differing:
        raise SystemExit(f"faults: {scenario.name}: two runs differ in {differing[:5]}")
    return Reference(before, trees[0], None if scenario.output_may_differ or ends[0].out != ends[1].out else ends[0].out, ends[0].counts)


def without_times(text):
    """Without what differs from run to run: seconds in sentences and in the last columns of tables, and replay's memory."""
    text = re.sub(r"[0-9.]+ s\b", "", text)
    text = re.sub(r"(\s+[0-9]+ /\s+[0-9]+){2}$", "", text, flags=re.MULTILINE)
    return re.sub(r"^((?:metis|range|hash|random|sequence_only) .*?)\s+[0-9.]+$", r"\1", text, flags=re.MULTILINE)


def wrong_end(fault, end, right_out):
    """Why the end of a run is not one that the program promises, or nothing."""
    if end.code is None:
        return "it hung"
    if end.code < 0:
        return f"ended by signal {-end.code}"
    if end.code == 0:
        return "exit 0 with another output" if right_out is not None and end.out != right_out else ""
    if not any(line.startswith("penchant: ") for line in end.err.splitlines()):
        return f"exit {end.code} without a message"
    if end.code not in (2, 4):
        return f"exit {end.code}"
    if fault.kind in MEMORY:
        said = "memory" in end.err or "threads" in end.err
        if end.code == 2 and fault.kind != "map":
            return "want of memory or threads is exit 4"
    else:
        said = os.strerror(fault.error) in end.err or "/" in end.err or "." in end.err.split(":")[1]
        if end.code == 4:
            return "a file's trouble is exit 2"
    return "" if said else "the message does not say what failed"


def wrong_files(program, scenario, folder, before, right, killed=False, said=""):
    """The same of what lies in the folder; runs the scenario again where that shows something."""
    after = judge.tree(folder)
    leftovers = [path for path in after if judge.is_temporary(path)]
    if leftovers and not killed:
        return f"left {leftovers[:2]}"
    lasting = {path: value for path, value in after.items() if not scenario.scratch or not path.startswith(f"{scenario.scratch}/")}
    unwhole = judge.unwhole(lasting, before, right)
    if unwhole:
        return f"neither old nor new: {unwhole[:3]}"
    settled = judge.without_replaced(judge.without_temporaries(after))
    if settled == right or settled == before:
        return ""  # from here a repeated run is the reference
    words = scenario.resume if has_checkpoint(folder) else ()
    again = run(program, scenario, folder, words=words)
    if again.code != 0 and "nothing was forgotten" not in again.err:  # it had been, and was not said
        return f"a repeated run ends with {again.code}: {again.err.strip()[-300:]}"
    final = judge.without_replaced(judge.without_temporaries(judge.tree(folder)))
    differing = sorted(path for path in final.keys() | right.keys() if final.get(path) != right.get(path))
    if "cannot keep what was replaced" in said:  # then it is not kept
        differing = [path for path in differing if not re.search(r"\.v\d+/", path)]
    return f"a repeated run differs in {differing[:4]}" if differing else ""


def has_checkpoint(folder):
    for where, _, names in os.walk(folder):
        if "unfinished" in names and "manifest.json" not in names and \
                ("checkpoint.safetensors" in names or "choice.json" in names):
            return True
    return False
