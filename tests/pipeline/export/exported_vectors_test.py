# SPDX-License-Identifier: Apache-2.0
"""What `penchant evaluate` says of a model is what anybody gets who reads the files of `penchant embed` with NumPy and ranks by inner
products: recall@20 and ndcg@20 to six digits, for each kind of model, also where the model knows more than its vectors.

usage: exported_vectors_test.py PENCHANT
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

K = 20
CLOSE = 1e-6  # of the largest score: float32 sums of inner products may differ by as much
QUICK = ["--set", "train.epochs=2", "--set", "model.embedding_dim=16"]
KINDS = {  # vectors that have learned nothing are sure to get a filter beside them
    "lightgcn": [*QUICK, "--set", "train.learning_rate=1e-6", "--set", "model.initializer=normal"],
    "graph_filter": ["--set", "model.embedding_dim=16"],
    "auto": ["--set", "model.embedding_dim=16", "--budget", "60s"],
    "interest": QUICK,
}


def penchant(*arguments):
    child = subprocess.run([sys.argv[1], *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {child.stderr}")
    return child.stdout


def items_of(folder, part):
    """{user: items of the part}, dense ids: the rows of the vectors."""
    found = {}
    for user, item in zip(np.load(folder / part / "user.npy"), np.load(folder / part / "item.npy")):
        found.setdefault(int(user), set()).add(int(item))
    return found


def metrics_of(folder, users, items):
    """Recall and NDCG by docs/metrics.md, and by how much float32 may change them: a hit that is nearly tied may change its place."""
    known = [items_of(folder, part) for part in ("train", "validation")]
    masks = not json.loads((folder / "manifest.json").read_text())["repeats_allowed"]
    recalls, ndcgs, near = [], [], 0
    for user, held in items_of(folder, "test").items():
        seen = set().union(*(part.get(user, set()) for part in known)) if masks else set()
        held = held - seen
        if not held:
            continue
        scores = (items * users[user]).sum(axis=1)  # the same order of sums in each row: equal vectors are tied
        scores[list(seen)] = -np.inf
        best = np.lexsort((np.arange(len(scores)), -scores))[:K]
        hits = np.isin(best, list(held))
        gains = 1 / np.log2(np.arange(2, K + 2))
        recalls.append(hits.sum() / len(held))
        ndcgs.append(gains[hits].sum() / gains[:len(held)].sum())
        close = CLOSE * np.abs(scores[np.isfinite(scores)]).max()
        listed = [item for item in held if scores[item] > scores[best[-1]] - close]
        gaps = np.abs(scores[listed, None] - scores[None, :])
        near += bool(((gaps > 0) & (gaps < close)).any())
    return {f"recall@{K}": np.mean(recalls), f"ndcg@{K}": np.mean(ndcgs)}, near / len(recalls)


with tempfile.TemporaryDirectory() as name:
    work = pathlib.Path(name)
    data = work / "shop.data"
    penchant("generate", "--out", work, "--users", 300, "--items", 150, "--events", 6000, "--seed", 7)
    penchant("ingest", "--config", work / "shop.toml")
    faults = 0
    for kind, settings in KINDS.items():
        model, out = work / f"{kind}.model", work / f"{kind}.embeddings"
        penchant("train", data, "--out", model, "--set", f"model.kind={kind}", *settings)
        penchant("embed", data, model, "--out", out, "--format", "npy")
        told = json.loads(penchant("evaluate", data, model, "--ranking", "full", "--json"))
        users, items = (np.load(out / f"{side}.npy").astype(np.float64) for side in ("users", "items"))
        found, slack = metrics_of(data, users, items)
        for metric, value in found.items():
            equal = abs(value - told["metrics"][metric]) <= 5e-7 + slack
            print(f"{kind:<14}{metric:<12}evaluate {told['metrics'][metric]:.6f}  NumPy {value:.6f}  full {told['full'][metric]:.6f}"
                  f"{'' if equal and slack < 0.02 else '  DIFFERENT'}")
            faults += not equal or slack >= 0.02
        if kind in ("lightgcn", "graph_filter") and told["full"] == told["metrics"]:
            print(f"{kind}: the full score says the same, so that nothing is proved")
            faults += 1
    sys.exit(1 if faults else 0)
