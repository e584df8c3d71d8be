# SPDX-License-Identifier: Apache-2.0
"""hidden_items.py: what vectors are worth for items that nobody has touched yet.

A tenth of the items loses all its rows before anything is made of them. Users' vectors rank the hidden items (Recall@20 among
them, mean over users with a hidden item); the vectors of hidden items come from
  penchant            the item graph, in training, and columns for new items
  embedding_alone     the same without those columns
  attribute_average   mean of the vectors of the items with the same attribute values, trained without an item graph; each
                      value counts 1 / (number of its items)
  popularity          mean training count of the items with the same attribute values; the same for every user
  random              expected value: 20 / number of hidden items
Called by compare.py hidden_items; needs numpy and pyarrow."""
import json

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp


def read(data, part):
    """(user, item) of a part, in dense ids."""
    return np.load(data / part / "user.npy"), np.load(data / part / "item.npy")


def attribute_links(data):
    """Which item has which attribute value: [I x values], by the columns of the item dictionary."""
    table = pq.read_table(data / "items.parquet")
    skip = {"raw_id", "count", "first_time_ms", "last_time_ms"}
    rows, columns, values = [], [], {}
    for name in table.column_names:
        if name in skip:
            continue
        for row, found in enumerate(table[name].to_pylist()):
            for value in found if isinstance(found, list) else [] if found is None else [found]:
                rows.append(row)
                columns.append(values.setdefault((name, value), len(values)))
    return sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(table.num_rows, len(values)))


def recall_at_20(scores_of, data, hidden):
    """Mean over users of the share of their hidden test items among the best 20 hidden ones. Ties: the lower id."""
    users, items = read(data, "test")
    place = np.full(items.max() + 1, -1)
    place[hidden] = np.arange(len(hidden))
    recalls = []
    for user in np.unique(users):
        first, last = np.searchsorted(users, [user, user + 1])  # rows are sorted by user
        targets = np.unique(place[items[first:last]])
        best = np.argsort(-scores_of(user), kind="stable")[:20]
        recalls.append(np.isin(targets, best).mean())
    return float(np.mean(recalls)), len(recalls)


def vectors(folder, embedding_only=False):
    """Of users and items; only the embedding, without the columns of popularity and of new items, to average over items."""
    manifest = json.loads((folder / "manifest.json").read_text())
    width = manifest["dimension"]
    if embedding_only:
        width -= manifest["new_item_columns"] + manifest["popularity_column"]
    return np.load(folder / "users.npy")[:, :width], np.load(folder / "items.npy")[:, :width]


def compare(data, with_graph, without_graph):
    """Recall@20 by method; folders are X.data and two X.embeddings."""
    _, items = read(data, "test")
    hidden = np.unique(items)
    _, train_items = read(data, "train")
    assert not np.isin(train_items, hidden).any(), "a hidden item has training rows"
    links = attribute_links(data)
    count = np.bincount(train_items, minlength=links.shape[0]).astype(np.float32)
    warm = count > 0
    # Of a value: the mean over its warm items. Of an item: the mean over its values, rare ones weighing more.
    of_value = sp.diags(1 / np.maximum(links.T @ warm, 1)) @ links.T @ sp.diags(warm.astype(np.float32))
    weight = links @ sp.diags(1 / np.maximum(links.T @ warm, 1))
    of_item = sp.diags(1 / np.maximum(np.asarray(weight.sum(1)).ravel(), 1e-12)) @ weight
    result = {}
    users, table = vectors(with_graph)
    result["penchant"], num_users = recall_at_20(lambda user: table[hidden] @ users[user], data, hidden)
    users, table = vectors(with_graph, embedding_only=True)
    result["embedding_alone"], _ = recall_at_20(lambda user: table[hidden] @ users[user], data, hidden)
    users_alone, table_alone = vectors(without_graph, embedding_only=True)
    average = np.asarray(of_item @ (of_value @ table_alone))[hidden]
    result["attribute_average"], _ = recall_at_20(lambda user: average @ users_alone[user], data, hidden)
    popularity = np.asarray(of_item @ (of_value @ count))[hidden]
    result["popularity"], _ = recall_at_20(lambda user: popularity, data, hidden)
    result["random"] = 20 / len(hidden)
    return {"num_hidden": len(hidden), "num_users": num_users, "recall@20": result,
            "ratios": {name: result["penchant"] / value for name, value in result.items() if name != "penchant"}}


if __name__ == "__main__":
    import pathlib
    import sys
    print(json.dumps(compare(*map(pathlib.Path, sys.argv[1:4])), indent=2))
