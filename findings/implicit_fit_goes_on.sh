#!/usr/bin/env bash
# implicit 0.7.3, BayesianPersonalizedRanking and AlternatingLeastSquares: fit() on a model that was fitted before starts from the factors
# that it has and not anew, though it says that they "will be initialized with a latent factor model of the input data". One model object
# for all folds of a cross-validation has then seen in fold 1 what fold 2 holds out.
# Expected (scikit-learn's fit, and random_state): vectors of the second fit are those of a new model. Seen: others; on rows drawn at
# random, where nothing can be predicted, BPR's precision@10 in fold 2 is more than twice that of a new model.
# Penchant trains anew each time; only `train --resume` goes on, and only with the same data and settings.
source "$(dirname "$0")/common.bash"
environment implicit==0.7.3 numpy==2.2.6 scipy==1.15.3
OPENBLAS_NUM_THREADS=1 python - <<'CODE'
import numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.evaluation import ranking_metrics_at_k
rng = np.random.default_rng(1)
rows = np.unique(rng.integers(0, (300, 400), (6000, 2)), axis=0)  # 300 users, 400 items, no structure
fold = rng.integers(0, 2, len(rows))
first, second = (sp.csr_matrix((np.ones((fold == f).sum(), np.float32), rows[fold == f].T), shape=(300, 400)) for f in (0, 1))
precision = {}
for kind in (BayesianPersonalizedRanking, AlternatingLeastSquares):
    used, new = (kind(factors=64, random_state=1, num_threads=1) for _ in range(2))
    used.fit(first, show_progress=False)   # fold 1: trained on the first half, judged by the second
    used.fit(second, show_progress=False)  # fold 2
    new.fit(second, show_progress=False)
    same = np.array_equal(used.item_factors, new.item_factors)
    precision[kind.__name__] = [ranking_metrics_at_k(model, second, first, K=10, show_progress=False, num_threads=1)["precision"]
                                for model in (used, new)]
    print(f"{kind.__name__}, fold 2: vectors of a new model: {same}; precision@10 of the used model %.4f, of a new one %.4f" %
          tuple(precision[kind.__name__]))
    assert not same, "the second fit starts anew"
used, new = precision["BayesianPersonalizedRanking"]
assert used > 1.5 * new, "fold 2 does not know what fold 1 saw"
CODE
