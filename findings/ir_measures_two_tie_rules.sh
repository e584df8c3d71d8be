#!/usr/bin/env bash
# ir-measures 0.4.3: RR and RR@10 of one run with one tie, asked for in one call, go to two libraries with opposite rules for ties: RR to
# pytrec_eval (of equal scores the larger id first), RR@10 to the MS MARCO script (the smaller id first).
# Expected: RR@10 = RR where the first relevant document stands among the first ten. Seen: RR 0.5, RR@10 1.0.
# Give such tools scores without ties (1 / rank); Penchant writes lists in a fixed order (docs/comparing.md).
source "$(dirname "$0")/common.bash"
environment ir-measures==0.4.3 pytrec-eval-terrier==0.5.11
python - <<'CODE'
import ir_measures
from ir_measures import RR
found = ir_measures.calc_aggregate([RR, RR@10], {"q": {"a": 1}}, {"q": {"a": 1.0, "b": 1.0}})
print({str(measure): value for measure, value in found.items()})
assert found[RR] == 0.5 and found[RR@10] == 1.0, "the two agree"
CODE
