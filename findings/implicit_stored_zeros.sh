#!/usr/bin/env bash
# implicit 0.7.3 on a matrix that SciPy makes of a shop's log, purchases +1 and returns -1: pairs that cancel out stay in it as stored zeros.
# BPR "treats non zero entries as a binary signal that the user liked the item", but takes a stored zero for a like as well. For ALS it is a
# pair of confidence 0, less than the 1 of a pair that is not stored: what was sent back scores above what was never bought.
# Expected: vectors of the same matrix without its zeros (SciPy's own comparison calls both equal). Seen: BPR's vectors are, bit for bit,
# those of a log without returns; ALS' scores of returned pairs are above those of pairs that never were. eliminate_zeros() first helps.
# Penchant rejects rows of weight 0 or below, and counts them.
source "$(dirname "$0")/common.bash"
environment implicit==0.7.3 numpy==2.2.6 scipy==1.15.3
OPENBLAS_NUM_THREADS=1 python - <<'CODE'
import numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
rng = np.random.default_rng(1)
bought = np.unique(rng.integers(0, (200, 100), (4000, 2)), axis=0)  # 200 users, 100 items
returned = bought[rng.random(len(bought)) < 0.2]
amount = np.repeat([1, -1], [len(bought), len(returned)]).astype(np.float32)
net = sp.csr_matrix((amount, np.concatenate([bought, returned]).T), shape=(200, 100))
without_zeros = net.copy()
without_zeros.eliminate_zeros()
no_returns = sp.csr_matrix((np.ones(len(bought), np.float32), bought.T), shape=(200, 100))
print(f"{net.nnz} stored, {(net.data == 0).sum()} of them 0; differs from the matrix without them in {(net != without_zeros).nnz} places")
pairs = {"kept": without_zeros.toarray() > 0, "returned": sp.csr_matrix((np.ones(len(returned)), returned.T), shape=net.shape).toarray() > 0}
pairs["never bought"] = ~(pairs["kept"] | pairs["returned"])
for kind in (BayesianPersonalizedRanking, AlternatingLeastSquares):
    models = [kind(factors=16, random_state=1, num_threads=1) for _ in range(3)]
    for model, matrix in zip(models, (net, without_zeros, no_returns)):
        model.fit(matrix, show_progress=False)
    scores = models[0].user_factors @ models[0].item_factors.T
    means = {name: scores[of].mean() for name, of in pairs.items()}
    same = {name: np.array_equal(models[0].item_factors, model.item_factors) for name, model in zip(("without zeros", "without returns"), models[1:])}
    print(kind.__name__, "vectors equal those", same, "mean score", {name: round(float(value), 3) for name, value in means.items()})
    assert not same["without zeros"], "stored zeros say nothing"
    assert means["returned"] > 1.3 * means["never bought"], "returned items are not ahead"
    if kind is BayesianPersonalizedRanking:
        assert same["without returns"], "a stored zero is not a like"
CODE
