# SPDX-License-Identifier: Apache-2.0
"""Nothing includes upwards: folders, and the rooms of pipeline/ in the order of pipeline/CMakeLists.txt; no circle of headers.

usage: rooms_test.py ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
MAY_USE = {"graph": {"graph"}, "partition": {"graph", "partition"}, "kernels": {"graph", "kernels"},
           "models": {"graph", "kernels", "models"}, "pipeline": {"graph", "partition", "kernels", "models", "pipeline"},
           "python": {"graph", "partition", "kernels", "models", "pipeline", "python"}}
rooms = re.findall(r"add_subdirectory\((\w+)\)", (root / "pipeline/CMakeLists.txt").read_text())
faults, includes = [], {}

for folder in MAY_USE:
    for file in sorted((root / folder).rglob("*")):
        if file.suffix not in (".h", ".cc", ".cu", ".cuh"):
            continue
        name = str(file.relative_to(root))
        includes[name] = re.findall(r'^#include "([^"]+)"', file.read_text(), re.MULTILINE)
        for other in includes[name]:
            up = other.split("/")[0] not in MAY_USE[folder]
            if folder == "pipeline" and other.startswith("pipeline/"):
                up = rooms.index(other.split("/")[1]) > rooms.index(name.split("/")[1])
            if up:
                faults.append(f"{name} includes {other}, which lies above it")


def find_circle(name, path, done):
    if name in path:
        faults.append("a circle: " + " -> ".join(path[path.index(name):] + [name]))
    elif name not in done:
        for other in includes.get(name, []):
            find_circle(other, path + [name], done)
        done.add(name)


done = set()
for name in includes:
    find_circle(name, [], done)

# The install rule takes these lists; what a public header includes must be public too.
public = set()
for room in rooms:
    text = (root / "pipeline" / room / "CMakeLists.txt").read_text()
    for listed in re.findall(r"penchant_public_headers\(([^)]*)\)", text):
        public |= {f"pipeline/{room}/{header}" for header in listed.split()}
for name in sorted(public):
    if name not in includes:
        faults.append(f"{name} is listed as public and does not exist")
    for other in includes.get(name, []):
        if other.startswith("pipeline/") and other not in public:
            faults.append(f"{name} is public and includes {other}, which is not")

print("\n".join(faults) or f"{len(includes)} files, {len(rooms)} rooms, {len(public)} public headers of pipeline/: no fault")
sys.exit(1 if faults or not public else 0)
