# SPDX-License-Identifier: Apache-2.0
"""Builds and runs what a change touches: `make check`, for people at work. `make test` is what must pass before a change lands.

usage: check.py ROOT BUILD [--since COMMIT]

Changed files are those that differ from COMMIT (HEAD), new ones included. Of the tests it runs the suites
  - in a changed test file, or in one that includes a changed header of tests/,
  - in a file that includes the header of a changed .cc, or, of a changed header, one that includes it by way of others,
  - of the room or folder that a changed file lies in; all of the command line's for a verb.
Exit 1 if something does not build or fails.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time

options = argparse.ArgumentParser()
options.add_argument("root", type=pathlib.Path)
options.add_argument("build", type=pathlib.Path)
options.add_argument("--since", default="HEAD")
options = options.parse_args()
root = options.root


def lines(*command):
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()


def binary_of(test):
    """The test binary that a file of tests/ is part of (tests/*/CMakeLists.txt)."""
    parts = test.split("/")
    if parts[1] == "pipeline":
        return "cli_test" if parts[2] == "command" else "browser_test" if "browser" in test else "pipeline_test"
    return {"support": "kernels_test"}.get(parts[1], "graph_build_test" if "graph_build" in test else f"{parts[1]}_test")


changed = set(lines("git", "diff", "--name-only", options.since) + lines("git", "ls-files", "-o", "--exclude-standard"))
sources = [name for name in lines("git", "ls-files", "-c", "-o", "--exclude-standard", "*.h", "*.cc", "*.cu", "*.cuh") if (root / name).exists()]
includes = {name: set(re.findall(r'^#include "([^"]+)"', (root / name).read_text(), re.MULTILINE)) for name in sources}
tests = [name for name in sources if name.startswith("tests/") and name.endswith("_test.cc")]


def users_of(header):
    """Files that include it, directly or by way of other headers."""
    found, todo = set(), [header]
    while todo:
        one = todo.pop()
        for name, used in includes.items():
            if one in used and name not in found:
                found.add(name)
                if name.endswith((".h", ".cuh")):
                    todo.append(name)
    return found


touched = set()
for name in changed:
    folder = str(pathlib.PurePath(name).parent)
    stem = name.rsplit(".", 1)[0]
    if name in tests:
        touched.add(name)
    elif name.endswith((".h", ".cuh")):
        touched |= users_of(name) & set(tests)
    elif name.startswith("tests/") and name.endswith(".cc"):  # what tests share
        touched |= users_of(stem + ".h") & set(tests)
    if name.endswith((".cc", ".cu", ".cuh", ".h")) and not name.startswith("tests/"):
        touched |= {test for test in tests if stem + ".h" in includes[test] or stem + ".cuh" in includes[test]}
        touched |= {test for test in tests if str(pathlib.PurePath(test).parent) == f"tests/{folder}"}

suites = {}
for test in sorted(touched):
    found = re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\((\w+),", (root / test).read_text(), re.MULTILINE)
    suites.setdefault(binary_of(test), set()).update(found)
binaries = sorted(suites)
print(f"{len(changed)} changed files, {len(touched)} test files in {', '.join(binaries) or 'no binary'}", flush=True)

start = time.monotonic()
targets = binaries + (["penchant"] if any(not name.startswith("tests/") and name in includes for name in changed) else [])
if targets and subprocess.run(["cmake", "--build", str(options.build), "--target", *targets]).returncode:
    sys.exit(1)
built = time.monotonic()


def run(binary):
    names = ":".join(pattern for suite in sorted(suites[binary]) for pattern in (f"{suite}.*", f"*/{suite}.*", f"{suite}/*", f"*/{suite}/*"))
    command = [str(options.build / "tests" / binary), f"--gtest_filter={names}", "--gtest_brief=1"]
    return binary, subprocess.run(command, cwd=root, capture_output=True, text=True)


failed = False
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for binary, result in pool.map(run, binaries):
        print(f"{binary}: {'passed' if result.returncode == 0 else 'FAILED'}")
        if result.returncode:
            print(result.stdout, result.stderr)
            failed = True
for script in ("rooms_test.py", "docs_test.py"):
    failed |= subprocess.run([sys.executable, str(root / "tests" / script), str(root)]).returncode != 0
print(f"built in {built - start:.0f} s, tested in {time.monotonic() - built:.0f} s")
sys.exit(1 if failed else 0)
