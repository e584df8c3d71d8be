#!/usr/bin/env bash
# METIS 5.1.0 (as in PyMetis 2025.2.2), k-way: with a self loop at each vertex the edge cut that it returns is not the cut of the parts that
# it returns. Its manual asks for graphs without loops, but it says OK and gives a number; recursive bisection gives the right one.
# Expected: an error, or the cut of the parts. Seen: a path of 50 vertices with a loop each, 4 parts: more edges reported than cut.
# Penchant drops loops before METIS sees the graph and counts the cut itself.
source "$(dirname "$0")/common.bash"
environment pymetis==2025.2.2 numpy==2.2.6
python - <<'CODE'
import pymetis
count = 50
links = [[vertex] + [other for other in (vertex - 1, vertex + 1) if 0 <= other < count] for vertex in range(count)]
found = {}
for recursive in (False, True):
    reported, parts = pymetis.part_graph(4, adjacency=links, recursive=recursive)
    cut = sum(parts[vertex] != parts[vertex + 1] for vertex in range(count - 1))
    found[recursive] = (reported, cut)
print("k-way (reported, cut):", found[False], " recursive:", found[True])
assert found[False][0] > found[False][1], "the reported cut is right"
assert found[True][0] == found[True][1], "recursive bisection is wrong too"
CODE
