#!/usr/bin/env bash
# usearch 2.26.6: a batch of one query is no batch. search() of [1 x D] returns the Matches of a single vector: keys of shape [k], no counts; of
# [2 x D] BatchMatches: keys [2 x k], counts. Code that loops over users in batches breaks, or reads columns as rows, when the last batch has one.
# Expected: keys of [1 x k], as Faiss and hnswlib give. Seen: [k], from an index and from the exact search without one.
# docs/handoff.md queries it with one vector and reads keys as one list.
source "$(dirname "$0")/common.bash"
environment usearch==2.26.6 hnswlib==0.8.0 numpy==2.4.6
python - <<'CODE'
import hnswlib, numpy as np
from usearch.index import Index, MetricKind, search
vectors = np.random.default_rng(1).standard_normal((200, 8), dtype=np.float32)
index = Index(ndim=8, metric="ip", dtype="f32")
index.add(np.arange(200), vectors)
other = hnswlib.Index(space="ip", dim=8)
other.init_index(max_elements=200)
other.add_items(vectors)
seen = {}
for size in (1, 2):
    found = {"index": index.search(vectors[:size], 5), "exact": search(vectors, vectors[:size], 5, MetricKind.IP, exact=True)}
    seen[size] = {name: (type(matches).__name__, matches.keys.shape, hasattr(matches, "counts")) for name, matches in found.items()}
    seen[size]["hnswlib"] = other.knn_query(vectors[:size], 5)[0].shape
    print(size, "queries:", seen[size])
assert seen[1]["hnswlib"] == (1, 5) and seen[2]["hnswlib"] == (2, 5)
for name in ("index", "exact"):
    assert seen[2][name] == ("BatchMatches", (2, 5), True), name
    assert seen[1][name] == ("Matches", (5,), False), f"{name}: a batch of one is a batch"
CODE
