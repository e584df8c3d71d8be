# SPDX-License-Identifier: Apache-2.0
"""graph_build.py FOLDER ROUNDS: what `penchant bench -w graph_build` times, by SciPy and pandas: from the columns user.npy, item.npy (rows
sorted by user, then time) to the user-item matrix, its transpose, and the co-occurrence matrix of items at most three places apart
in a user's sequence (1 / distance, cosine, 20 strongest neighbours, union of both directions). Prints seconds of ROUNDS builds, after
one that does not count, and counts."""
import json
import pathlib
import sys
import time

import numpy as np
import pandas as pd
import scipy
import scipy.sparse as sp

WINDOW, TOP = 3, 20
folder = pathlib.Path(sys.argv[1])
user, item = np.load(folder / "user.npy"), np.load(folder / "item.npy")
num_users, num_items = int(user.max()) + 1, int(item.max()) + 1


def build():
    links = sp.coo_matrix((np.ones(len(user), np.float32), (user, item)), shape=(num_users, num_items)).tocsr()
    links.data[:] = 1  # repeats count once
    reverse = links.T.tocsr()
    pairs = sp.csr_matrix((num_items, num_items), dtype=np.float64)
    for distance in range(1, WINDOW + 1):
        same = (user[distance:] == user[:-distance]) & (item[distance:] != item[:-distance])
        first, second = item[:-distance][same], item[distance:][same]
        pairs = pairs + sp.coo_matrix((np.full(len(first), 1 / distance), (first, second)), shape=pairs.shape).tocsr()
    pairs = (pairs + pairs.T).tocoo()
    count = np.bincount(item, minlength=num_items).astype(np.float64)
    strength = pairs.data / np.sqrt(count[pairs.row] * count[pairs.col])
    frame = pd.DataFrame({"row": pairs.row, "col": pairs.col, "strength": strength})
    frame = frame.sort_values(["row", "strength", "col"], ascending=[True, False, True])
    frame = frame[frame.groupby("row").cumcount() < TOP]
    kept = sp.coo_matrix((frame.strength.to_numpy(np.float32), (frame.row, frame.col)), shape=pairs.shape).tocsr()
    return links, reverse, kept.maximum(kept.T)


build()
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    links, reverse, cooccurrence = build()
    times.append(time.perf_counter() - start)
print(json.dumps({"seconds": times, "user_item_edges": links.nnz, "cooccurrence_edges": cooccurrence.nnz,
                  "versions": {"scipy": scipy.__version__, "pandas": pd.__version__}}))
