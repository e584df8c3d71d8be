# SPDX-License-Identifier: Apache-2.0
"""shop_factors.py X.data THREADS [PEERS]: EASE (Steck 2019) and the matrix factorisations of `implicit` on a shop where users' own items
are ranked too. Options are chosen by ndcg@20 of the validation part, trained on the train part; with the best of them each peer is
trained on train + validation and ranks all items for the test part, once (factorisations: seeds 1, 2, 3). One JSON line.

PEERS, separated by commas: popularity (as `penchant evaluate` has it: a check of what is computed here), ease, ridge (the same without
the condition that an item does not predict itself), als, bpr. A user without a row gets the mean of everybody's scores, as in Penchant.
Columns: items with a row, and of all others, whose score is 0 in each of these models, the 20 first, since ties go to the first."""
import contextlib
import importlib.metadata
import itertools
import json
import math
import pathlib
import statistics
import sys
import time

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.recommender_base import ModelFitError

CUTOFF = 20
METRICS = ("ndcg@10", "ndcg@20", "recall@20")
EASE_GRID = [1.0, 10.0, 100.0, 1000.0]
ALS_GRID = {"alpha": [2.0, 16.0], "regularization": [1.0, 10.0, 100.0], "values": ["log_count"], "iterations": [16]}
BPR_GRID = {"learning_rate": [0.03, 0.1], "regularization": [0.003, 0.03], "values": ["count"], "iterations": [96]}


def pair_values(rows, form):
    """What a pair weighs by its rows: 1, how many, their weights' sum (events of several kinds), or the logarithm of one of these."""
    rows = rows.copy()
    if form == "binary":
        rows.data[:] = 1
    elif form.startswith("log_"):
        rows.data = np.log1p(rows.data)
    return rows


class Task:
    """What is known before `part`, and what is asked there."""

    def __init__(self, data, part):
        facts = json.loads((data / "manifest.json").read_text())
        if not facts["repeats_allowed"]:
            sys.exit("shop_factors: this data set masks users' own items, which is not done here")
        self.shape = (facts["num_users"], facts["num_items"])
        known = ["train"] if part == "validation" else ["train", "validation"]

        def column(part, name):
            return np.load(data / part / f"{name}.npy")

        user, item, weight = (np.concatenate([column(part, name) for part in known]) for name in ("user", "item", "weight"))
        train_item = column("train", "item")
        has_row = np.zeros(self.shape[1], bool)
        has_row[item] = True
        self.columns = np.union1d(np.flatnonzero(has_row), np.flatnonzero(~has_row)[:CUTOFF])  # sorted: ties stay ties of the ids
        place = np.full(self.shape[1], -1)
        place[self.columns] = np.arange(len(self.columns))

        def matrix(values):
            return sp.csr_matrix((values, (user, place[item])), shape=(self.shape[0], len(self.columns)))

        self.rows = {"count": matrix(np.ones(len(user))), "weight": matrix(weight.astype(np.float64))}
        self.popularity = np.bincount(train_item, minlength=self.shape[1])[self.columns]
        pairs = np.unique(np.stack([column(part, "user"), column(part, "item")], 1), axis=0)
        self.users, first = np.unique(pairs[:, 0], return_index=True)
        self.wanted = dict(zip(self.users.tolist(), np.split(pairs[:, 1], first[1:])))
        self.is_new = np.diff(self.rows["count"].indptr) == 0

    def forms(self):
        weighted = (self.rows["weight"] != self.rows["count"]).nnz > 0
        return ["binary", "count", "log_count"] + (["weight", "log_weight"] if weighted else [])

    def history(self, form):
        return pair_values(self.rows["weight" if form.endswith("weight") else "count"], form)

    def metrics(self, scores_of):
        """Means over the users with held-out items; `scores_of(users)` has a row of scores of the columns for each."""
        discounts = 1 / np.log2(np.arange(2, CUTOFF + 2))
        sums = dict.fromkeys(METRICS, 0.0)
        for first in range(0, len(self.users), 512):
            block = self.users[first:first + 512]
            scores = scores_of(block)
            bounds = np.partition(scores, -CUTOFF, axis=1)[:, -CUTOFF]
            for user, row, bound in zip(block.tolist(), scores, bounds):
                best = np.flatnonzero(row >= bound)  # all that tie at the end of the list, in the order of the ids
                top = self.columns[best[np.argsort(-row[best], kind="stable")[:CUTOFF]]]
                wanted = self.wanted[user]
                hits = np.isin(top, wanted)
                sums["recall@20"] += hits.sum() / len(wanted)
                for cutoff in (10, 20):
                    gain, ideal = (math.fsum(part) for part in (discounts[:cutoff][hits[:cutoff]], discounts[:min(cutoff, len(wanted))]))
                    sums[f"ndcg@{cutoff}"] += gain / ideal
        return {name: value / len(self.users) for name, value in sums.items()}

    def by_factors(self, users, items):
        """Scores by inner products, of a user without a row by the mean of the others."""
        users = np.where(self.is_new[:, None], users[~self.is_new].mean(0), users)
        return lambda block: users[block] @ items.T


class Ease:
    """EASE, scores X B with B = -P / diag(P) outside the diagonal, 0 on it, P = (X'X + lambda)^-1. Users are fewer than items, so P is
    not made: with K = (XX' + lambda)^-1 and M = X'KX it is P = (1 - M) / lambda, B_ij = M_ij / (1 - M_jj) and XM = X - lambda KX.
    Without the condition on the diagonal the least squares have B = M."""

    def __init__(self, task, form):
        self.known = np.flatnonzero(~task.is_new)
        self.history = task.history(form)[self.known].tocsr()
        self.products = (self.history @ self.history.T).toarray()
        self.place = np.full(task.shape[0], -1)
        self.place[self.known] = np.arange(len(self.known))

    def scores(self, penalty, diagonal):
        factor, failed = scipy.linalg.lapack.dpotrf(self.products + penalty * np.eye(len(self.products)), lower=1, overwrite_a=1)
        inverse, failed_too = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
        if failed or failed_too:
            sys.exit(f"shop_factors: EASE, lambda {penalty}: the matrix is not positive definite")
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        filtered = -penalty * (self.history.T @ inverse).T  # inverse is symmetric
        entries = self.history.tocoo()
        filtered[entries.row, entries.col] += entries.data  # XM
        if diagonal == "zero":
            self.take_out_own(filtered, entries, penalty)
        everybody = filtered.mean(0)
        return lambda users: np.where((self.place[users] < 0)[:, None], everybody, filtered[self.place[users]])

    def take_out_own(self, filtered, entries, penalty):
        own = np.bincount(entries.col, entries.data * (entries.data - filtered[entries.row, entries.col]), filtered.shape[1]) / penalty
        filtered[entries.row, entries.col] -= entries.data * own[entries.col]
        filtered /= 1 - own
        filtered[np.abs(filtered) < 1e-11] = 0  # rounding: the only item of a user has no say on itself, and ties with all unknown ones


def check_ease():
    """The scores above are those of the published formula."""
    task = type("", (), {"shape": (9, 14), "columns": np.arange(14), "is_new": np.zeros(9, bool)})()
    rows = sp.random_array((9, 14), density=0.4, rng=np.random.default_rng(1), format="csr")
    task.history = lambda form: rows
    x = rows.toarray()
    inverse = np.linalg.inv(x.T @ x + 0.7 * np.eye(14))
    published = -inverse / np.diag(inverse)
    np.fill_diagonal(published, 0)
    for diagonal, matrix in (("zero", published), ("free", inverse @ (x.T @ x))):
        if not np.allclose(Ease(task, "").scores(0.7, diagonal)(np.arange(9)), x @ matrix, rtol=1e-9, atol=1e-12):
            sys.exit("shop_factors: EASE's scores are not those of the formula")


def search(grid, neighbours, try_options):
    """All rows that `try_options` (a list for each) gave for the grid and then for the neighbours of the best one, until none is better."""
    found, tried = [], []

    def try_new(options):
        if options not in tried:
            tried.append(options)
            found.extend(try_options(options))

    for values in itertools.product(*grid.values()):
        try_new(dict(zip(grid, values)))
    best = None
    while best is not (best := max(found, key=lambda row: row["validation_ndcg@20"])):
        for change in neighbours(best):
            try_new({name: best[name] for name in grid} | change)
    return best, len(found)


def run_ease(validation, test, diagonal):
    eases = {form: Ease(validation, form) for form in validation.forms()}

    def try_options(options):
        scores_of = eases[options["values"]].scores(options["lambda"], diagonal)
        return [options | {"validation_ndcg@20": validation.metrics(scores_of)["ndcg@20"]}]

    best, tried = search({"values": list(eases), "lambda": EASE_GRID},
                         lambda best: [{"lambda": best["lambda"] * factor} for factor in (0.4, 2.5)], try_options)
    return best, tried, [test.metrics(Ease(test, best["values"]).scores(best["lambda"], diagonal))]


def fit_als(task, options, threads, seed, after):
    model = AlternatingLeastSquares(factors=64, regularization=options["regularization"], alpha=options["alpha"], iterations=options["iterations"],
                                    num_threads=threads, random_state=seed)
    model.fit(task.history(options["values"]).astype(np.float32), show_progress=False,
              callback=lambda iteration, seconds, loss: after(iteration + 1, model))


def fit_bpr(task, options, threads, seed, after):
    """implicit's BPR draws entries of the matrix and ignores their values: rows of a pair are drawn as often as they are where each is
    an entry of its own. One thread: with more the result is another each time."""
    rows = task.rows["count"].astype(np.float32)
    if options["values"] == "count":
        counts = rows.data.astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(counts)])
        rows = sp.csr_matrix((np.ones(ends[-1], np.float32), np.repeat(rows.indices, counts), ends[rows.indptr].astype(np.int32)), rows.shape)
    model = BayesianPersonalizedRanking(factors=64, learning_rate=options["learning_rate"], regularization=options["regularization"],
                                        iterations=options["iterations"], num_threads=1, random_state=seed)
    model.fit(rows, show_progress=False, callback=lambda iteration, *_: after(iteration + 1, model))


def run_factors(fit, grid, forms, validation, test, threads):
    """Each fit is judged after half and all of its iterations."""
    rates = [name for name in grid if name not in ("values", "iterations")]

    def try_options(options):
        found = []

        def after(iteration, model):
            if options["iterations"] in (iteration * 2, iteration):
                value = validation.metrics(validation.by_factors(model.user_factors, model.item_factors))["ndcg@20"]
                found.append(options | {"iterations": iteration, "of": options["iterations"], "validation_ndcg@20": value})
        with contextlib.suppress(ModelFitError):  # factors that are not finite: what came before them counts
            fit(validation, options, threads, 1, after)
        return found

    def neighbours(best):
        same = {"iterations": best["of"]}
        return ([same | {name: best[name] * factor} for name in rates for factor in (0.5, 2.0)] + [same | {"values": form} for form in forms] +
                [{"iterations": best["of"] * 2 if best["iterations"] == best["of"] else best["iterations"]}])

    best, tried = search(grid, neighbours, try_options)
    runs = []
    for seed in (1, 2, 3):
        fit(test, best, threads, seed, lambda iteration, model: iteration == best["iterations"] and runs.append(
            test.metrics(test.by_factors(model.user_factors, model.item_factors))))
    return {name: best[name] for name in (*grid, "validation_ndcg@20")}, tried, runs


def main():
    data, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    peers = sys.argv[3].split(",") if len(sys.argv) > 3 else ["popularity", "ease", "ridge", "als", "bpr"]
    check_ease()
    validation, test = Task(data, "validation"), Task(data, "test")
    forms = validation.forms()
    run = {"popularity": lambda: ({}, 1, [test.metrics(lambda users: np.tile(test.popularity.astype(np.float64), (len(users), 1)))]),
           "ease": lambda: run_ease(validation, test, "zero"),
           "ridge": lambda: run_ease(validation, test, "free"),
           "als": lambda: run_factors(fit_als, ALS_GRID, forms, validation, test, threads),
           "bpr": lambda: run_factors(fit_bpr, BPR_GRID, ["binary", "count"], validation, test, threads)}
    result = {}
    for name in peers:
        start = time.perf_counter()
        chosen, tried, runs = run[name]()
        result[name] = {"chosen": chosen, "tried": tried, "seconds": time.perf_counter() - start, "runs": runs,
                        "metrics": {metric: statistics.median(found[metric] for found in runs) for metric in METRICS}}
        print(f"{name}: {result[name]}", file=sys.stderr)
    versions = {name: importlib.metadata.version(name) for name in ("implicit", "numpy", "scipy")}
    print(json.dumps({"peers": result, "versions": versions}))


if __name__ == "__main__":
    main()
