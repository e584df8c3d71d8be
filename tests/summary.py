# SPDX-License-Identifier: Apache-2.0
"""Counts the cases that GoogleTest ran, of the XML files that the test binaries wrote.

usage: summary.py FOLDER

A process runs many cases (tests/CMakeLists.txt), so what CTest counts are processes. Prints a line a binary, why cases were
skipped, and the sum; exit 1 if a case failed or no case ran.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

counts = collections.defaultdict(collections.Counter)
reasons = collections.Counter()
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    binary = re.sub(r"\.\d+$", "", path.stem)
    for case in xml.parse(path).iter("testcase"):
        if case.get("status") != "run":
            continue
        skipped = case.find("skipped")
        state = "failed" if case.find("failure") is not None else "skipped" if skipped is not None else "passed"
        counts[binary][state] += 1
        if state == "skipped":
            message = skipped.get("message", "").strip().splitlines()
            reasons[message[-1] if message else "no reason given"] += 1

total = sum(counts.values(), collections.Counter())
width = max((len(name) for name in counts), default=0)
for name, count in sorted(counts.items()):
    print(f"{name:{width}}  {count['passed']:5} passed {count['failed']:4} failed {count['skipped']:4} skipped")
for reason, count in reasons.most_common():
    print(f"skipped {count}: {reason}")
print(f"cases: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
sys.exit(1 if total["failed"] or not total["passed"] else 0)
