#!/usr/bin/env bash
# pytrec-eval-terrier 0.5.11 keeps the scores of a run as float32, without a word: 16777217 and 16777216 (a score in cents, a time, an inner
# product in double) become a tie, and a tie is decided by the id, the larger first.
# Expected: "a" with the larger score ranks first, RR 1.0. Seen: RR 0.5; with scores 2 and 1 it is 1.0.
source "$(dirname "$0")/common.bash"
environment pytrec-eval-terrier==0.5.11
python - <<'CODE'
import pytrec_eval
judge = pytrec_eval.RelevanceEvaluator({"q": {"a": 1}}, {"recip_rank"})
close = judge.evaluate({"q": {"a": 16777217.0, "b": 16777216.0}})["q"]["recip_rank"]
apart = judge.evaluate({"q": {"a": 2.0, "b": 1.0}})["q"]["recip_rank"]
print("scores 16777217 and 16777216:", close, " scores 2 and 1:", apart)
assert close == 0.5 and apart == 1.0, "scores are told apart in double"
CODE
