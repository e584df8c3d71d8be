# SPDX-License-Identifier: Apache-2.0
"""recommenders.py implicit X.data THREADS: weighted ALS (Hu et al. 2008) of `implicit`, d = 64: alpha chosen on the validation part, then
fitted on train + validation; seconds of that last fit, of the whole search, and Recall@20 and NDCG@20 on test.
recommenders.py recbole X.data THREADS STEPS: RecBole's own LightGCN on its own batches (BPR, batch 2048, d = 64, three layers);
milliseconds a step, and steps an epoch. One JSON line."""
import importlib.metadata
import json
import pathlib
import sys
import tempfile
import time
import warnings

import numpy as np
import scipy.sparse as sp

warnings.filterwarnings("ignore")


def load(data):
    """Parts of the data set as binary matrices [users, items]."""
    facts = json.loads((data / "manifest.json").read_text())
    shape = (facts["num_users"], facts["num_items"])
    parts = {}
    for part in ("train", "validation", "test"):
        user, item = (np.load(data / part / f"{name}.npy") for name in ("user", "item"))
        matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=shape)
        matrix.data[:] = 1
        parts[part] = matrix
    return parts


def top20_metrics(scores_of, seen, held_out):
    """Recall@20 and NDCG@20, means over the users with held-out items, seen items left out."""
    discounts = 1 / np.log2(np.arange(2, 22))
    ideal = np.concatenate([[0], np.cumsum(discounts)])
    recall = ndcg = count = 0
    users = np.flatnonzero(np.diff(held_out.indptr))
    for first in range(0, len(users), 1024):
        block = users[first:first + 1024]
        scores = scores_of(block)
        rows = seen[block].tocoo()
        scores[rows.row, rows.col] = -np.inf
        top = np.argpartition(-scores, 20, axis=1)[:, :20]
        top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1)
        wanted = held_out[block]
        sizes = np.diff(wanted.indptr)
        hits = np.take_along_axis(wanted.toarray(), top, 1) > 0
        recall += (hits.sum(1) / sizes).sum()
        ndcg += ((hits * discounts).sum(1) / ideal[np.minimum(sizes, 20)]).sum()
        count += len(block)
    return {"recall@20": recall / count, "ndcg@20": ndcg / count}


def run_implicit(data, threads):
    from implicit.als import AlternatingLeastSquares
    parts = load(data)
    both = (parts["train"] + parts["validation"]).tocsr()
    both.data[:] = 1

    def fit(alpha, rows):
        model = AlternatingLeastSquares(factors=64, regularization=0.01, alpha=alpha, iterations=15, num_threads=threads,
                                        random_state=1)
        model.fit(rows, show_progress=False)
        return lambda users: model.user_factors[users] @ model.item_factors.T

    start = time.perf_counter()
    found = {alpha: top20_metrics(fit(alpha, parts["train"]), parts["train"], parts["validation"])["ndcg@20"]
             for alpha in (1.0, 5.0, 20.0, 80.0)}
    alpha = max(found, key=found.get)
    last = time.perf_counter()
    scores_of = fit(alpha, both)
    seconds = time.perf_counter() - last
    return {"fit_seconds": seconds, "search_and_fit_seconds": time.perf_counter() - start, "alpha": alpha,
            "validation_ndcg@20": found, "metrics": top20_metrics(scores_of, both, parts["test"]),
            "versions": {"implicit": importlib.metadata.version("implicit")}}


def run_recbole(data, threads, steps):
    import torch
    for old, new in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
        if not hasattr(np, old):
            setattr(np, old, new)  # RecBole 1.2 was written for NumPy 1 ...
    sp.dok_matrix._update = lambda matrix, entries: matrix._dict.update(entries)  # ... and SciPy 1.10
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import LightGCN
    torch.set_num_threads(threads)
    parts = load(data)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "shop").mkdir()
        for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
            rows = parts[part].tocoo()
            lines = "\n".join(f"{user}\t{item}" for user, item in zip(rows.row, rows.col))
            (pathlib.Path(folder) / "shop" / f"shop.{name}.inter").write_text(f"user_id:token\titem_id:token\n{lines}\n")
        config = Config(model="LightGCN", dataset="shop", config_dict={
            "data_path": folder, "benchmark_filename": ["train", "valid", "test"], "embedding_size": 64, "n_layers": 3,
            "train_batch_size": 2048, "use_gpu": False, "load_col": {"inter": ["user_id", "item_id"]}, "show_progress": False,
            "state": "ERROR", "checkpoint_dir": folder})
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
    model = LightGCN(config, train.dataset)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    warm_up, start = 2, 0.0
    for number, batch in enumerate(train):
        if number == warm_up:
            start = time.perf_counter()
        if number == warm_up + steps:
            break
        optimizer.zero_grad()
        loss = model.calculate_loss(batch)
        loss.backward()
        optimizer.step()
    return {"step_ms": (time.perf_counter() - start) / steps * 1e3, "steps_an_epoch": len(train),
            "versions": {"recbole": importlib.metadata.version("recbole"), "torch": torch.__version__}}


if __name__ == "__main__":
    folder, threads = pathlib.Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(run_implicit(folder, threads) if sys.argv[1] == "implicit" else
                     run_recbole(folder, threads, int(sys.argv[4]))))
