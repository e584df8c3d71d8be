#!/usr/bin/env bash
# ranx 0.3.21 sorts a run's documents by score with a sort that is stable for short lists only: ten tied documents stay in the order
# in which they were given, sixteen already do not.
# Expected: one rule for every length. Seen: the first given has rank 1 of 10, 15 of 16, 26 of 50.
source "$(dirname "$0")/common.sh"
environment ranx==0.3.21
python - <<'CODE'
from ranx import Qrels, Run, evaluate
def rank_of_first(count):
    documents = {f"d{number:03}": 1.0 for number in range(count)}
    return round(1 / float(evaluate(Qrels({"q": {"d000": 1}}), Run({"q": documents}), "mrr")))
found = {count: rank_of_first(count) for count in (10, 16, 50)}
print("rank of the document given first, all scores equal:", found)
assert found[10] == 1 and found[50] != 1, "the order is the same for every length"
CODE
