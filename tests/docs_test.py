# SPDX-License-Identifier: Apache-2.0
"""What the map says is there: every path that architecture.md, tour.md, CONTRIBUTING.md and README.md name, and every function or type
that the tour names beside a file.

usage: docs_test.py ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
faults = []
paths = checked = 0
for name in ("docs/architecture.md", "docs/tour.md", "CONTRIBUTING.md", "README.md"):
    text = (root / name).read_text()
    for path in re.findall(r"`((?:graph|partition|kernels|models|pipeline|tests|bench|docs|cmake|examples|findings|python)/[\w./-]+)`", text):
        if "NAME" not in path and not path.startswith("bench/results"):
            paths += 1
            if not (root / path).exists():
                faults.append(f"{name} names {path}, which is not there")
    for link in re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]*)?\)", text):
        if not (root / name).parent.joinpath(link).exists():
            faults.append(f"{name} links {link}, which is not there")

for line in re.split(r"\n(?=\d+\. )", (root / "docs/tour.md").read_text()):
    for symbols, path in re.findall(r"((?:`\w+`(?:'s \w+)?(?:,| and)? )+)\(`([\w/]+\.h)`", line) + re.findall(r"(`\w+`) in `([\w/]+\.h)`", line):
        for symbol in re.findall(r"`(\w+)`", symbols):
            checked += 1
            if (root / path).exists() and not re.search(rf"\b{symbol}\b", (root / path).read_text()):
                faults.append(f"docs/tour.md finds {symbol} in {path}, which has no such name")

rooms = re.findall(r"add_subdirectory\((\w+)\)", (root / "pipeline/CMakeLists.txt").read_text())
table = re.findall(r"^\| `(\w+)/` \|", (root / "docs/architecture.md").read_text().split("## Rooms of pipeline/")[1], re.MULTILINE)
if table != rooms:
    faults.append(f"docs/architecture.md lists the rooms {table}, pipeline/CMakeLists.txt {rooms}")
if paths < 60 or checked < 25:
    faults.append(f"found only {paths} paths and {checked} names: the pattern does not fit the text any more")
print("\n".join(faults) or f"{paths} paths and {checked} names are there")
sys.exit(1 if faults else 0)
