#!/usr/bin/env bash
# implicit 0.7.3, ranking_metrics_at_k with filter_already_liked_items (its default): a user who has all items but a few gets a list that
# is filled up with items that were filtered, and with item 0 over and over once these are used up. Every copy of item 0 is a hit where
# item 0 is held out, and precision is hits / min(K, held out): it comes out above 1.
# Expected: at most 1. Seen: precision@10 above 1 with one held-out item, recommend() returns item 0 more than once.
# Penchant never repeats an item in a list and never shows a masked one.
source "$(dirname "$0")/common.bash"
environment implicit==0.7.3 numpy==2.2.6 scipy==1.15.3
python - <<'CODE'
import numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k
# 6 items; the user has items 1 to 5 and comes to item 0 in the test part.
train = sp.csr_matrix(np.array([[0, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0]], np.float32))
test = sp.csr_matrix(([1.0], ([0], [0])), shape=(3, 6), dtype=np.float32)
model = AlternatingLeastSquares(factors=2, iterations=3, random_state=1, num_threads=1)
model.fit(train, show_progress=False)
items, scores = model.recommend(0, train[0], N=10)
precision = ranking_metrics_at_k(model, train, test, K=10, show_progress=False, num_threads=1)["precision"]
print("list of user 0:", items.tolist(), "scores:", scores.tolist(), "precision@10:", precision)
assert list(items).count(0) > 1, "item 0 stands in the list once"
assert precision > 1, "precision is at most 1"
CODE
