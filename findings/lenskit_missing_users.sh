#!/usr/bin/env bash
# LensKit 2025.8.1, RunAnalysis: a user with held-out items but no list is left out of the means, one with a list but nothing held out
# counts as 0. Most evaluators do the reverse of both: pytrec_eval, RecTools and RePlay leave out the second.
# Expected: a recommender that gives up on a user does not score better for it. Seen: the mean rises from 0.5 to 1.0 when the list that
# misses is dropped, and falls to 0.33 when a user without held-out items is given a list.
# Penchant: means over the users with held-out items, all of whom get a list.
source "$(dirname "$0")/common.sh"
environment lenskit==2025.8.1
python -W ignore - <<'CODE'
from lenskit.data import ItemList, ItemListCollection
from lenskit.metrics import Recall, RunAnalysis
def collection(rows, ordered=False):
    found = ItemListCollection(["user_id"])
    for user, items in rows.items():
        found.add(ItemList(item_ids=items, ordered=ordered) if ordered else ItemList(item_ids=items), user_id=user)
    return found
def recall(lists):
    analysis = RunAnalysis()
    analysis.add_metric(Recall(2), "recall")
    return float(analysis.measure(collection(lists, True), collection({1: [10], 2: [20]})).list_summary().loc["recall", "mean"])
both, hit_alone, one_more = recall({1: [10, 11], 2: [10, 11]}), recall({1: [10, 11]}), recall({1: [10, 11], 2: [10, 11], 3: [10, 11]})
print("both users:", both, " without the list that misses:", hit_alone, " with a list for a user without held-out items:", one_more)
assert both == 0.5 and hit_alone == 1.0 and abs(one_more - 1 / 3) < 1e-6, "users count alike"
CODE
