# SPDX-License-Identifier: Apache-2.0
"""audiences.py: ways to rank people for a category that they have not bought from, without Penchant.

Each takes a History (what is known before a cut, and who bought what in the period before that) and gives scores
[U x categories]; `grid` lists the settings that bench/audience.py chooses from on the validation part. Needs numpy, scipy and
scikit-learn."""
import dataclasses

import numpy as np
import scipy.sparse as sp

DAY_MS = 86_400_000


@dataclasses.dataclass
class Rows:
    """Rows of a log in dense ids; category and department -1 where missing."""
    user: np.ndarray
    category: np.ndarray
    department: np.ndarray
    time_ms: np.ndarray

    def __getitem__(self, mask):
        return Rows(self.user[mask], self.category[mask], self.department[mask], self.time_ms[mask])


@dataclasses.dataclass
class History:
    """What is known at a cut. `train` and `validation` are the rows before and in the last period."""
    num_users: int
    num_categories: int
    num_departments: int
    department_of: np.ndarray  # [categories]
    train: Rows
    validation: Rows
    cut_ms: int

    @property
    def known(self):
        return Rows(*(np.concatenate(pair) for pair in zip(dataclasses.astuple(self.train), dataclasses.astuple(self.validation))))

    def counts(self, rows, column="category"):
        """[U x categories] rows, or of departments."""
        ids = getattr(rows, column)
        kept = ids >= 0
        width = self.num_categories if column == "category" else self.num_departments
        return sp.csr_matrix((np.ones(kept.sum()), (rows.user[kept], ids[kept])), shape=(self.num_users, width)).toarray()


def windowed(history, days):
    rows = history.known
    return rows if days is None else rows[rows.time_ms >= history.cut_ms - days * DAY_MS]


def activity(history, categories, days=None, half_life=None):
    """Rows of the last days, or of all time; or rows that lose half their weight in so many days."""
    rows = windowed(history, days)
    weights = None if half_life is None else 0.5 ** ((history.cut_ms - rows.time_ms) / (half_life * DAY_MS))
    score = np.bincount(rows.user, weights=weights, minlength=history.num_users).astype(float)
    return np.repeat(score[:, None], len(categories), axis=1)


def department(history, categories, days=None):
    """Rows in the category's department, and for ties all rows."""
    rows = windowed(history, days)
    total = np.bincount(history.known.user, minlength=history.num_users)
    return history.counts(rows, "department")[:, history.department_of[categories]] + 1e-6 * total[:, None]


def recency(history, categories):
    """The latest row first, in the category's department and then anywhere."""
    rows = history.known
    latest = np.zeros((history.num_users, history.num_departments))
    kept = rows.department >= 0
    np.maximum.at(latest, (rows.user[kept], rows.department[kept]), rows.time_ms[kept].astype(float))
    return latest[:, history.department_of[categories]]


def user_knn(history, categories, neighbours=100, weighting="log", total="mean"):
    """Cosine of households by their counts of categories; how many of the nearest have the category, weighted by the cosine."""
    counts = history.counts(history.known)
    owned = (counts > 0).astype(float)
    table = np.log1p(counts) if weighting == "log" else owned * np.log(history.num_users / (1 + owned.sum(0)))
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    cosine = table @ table.T
    np.fill_diagonal(cosine, 0)
    least = -np.partition(-cosine, neighbours, axis=1)[:, neighbours][:, None]
    weights = np.where(cosine >= least, cosine, 0)
    score = weights @ owned[:, categories]
    return score if total == "sum" else score / np.maximum(weights.sum(1, keepdims=True), 1e-9)


def logistic(history, categories, penalty=1.0, scale="log"):
    """scikit-learn's logistic regression, one a category: counts before the validation part to who bought for the first time in
    it; asked with the counts of all that is known."""
    from sklearn.linear_model import LogisticRegression

    before, now = history.counts(history.train), history.counts(history.known)
    bought = history.counts(history.validation) > 0
    features, asked = (np.log1p(before), np.log1p(now)) if scale == "log" else (before, now)
    scores = np.zeros((history.num_users, len(categories)))
    for place, category in enumerate(categories):
        open_to_it = before[:, category] == 0
        labels = bought[open_to_it, category]
        if labels.any() and not labels.all():
            fitted = LogisticRegression(C=penalty, max_iter=2000).fit(features[open_to_it], labels)
            scores[:, place] = fitted.decision_function(asked)
    return scores


DAYS = [None, 14, 30, 60, 90, 180]
grid = {
    "activity": (activity, [{"days": days} for days in DAYS] + [{"half_life": days} for days in (15, 30, 45, 90)]),
    "popularity_in_category": (department, [{"days": days} for days in DAYS]),
    "recency_in_category": (recency, [{}]),
    "user_knn": (user_knn, [{"neighbours": k, "weighting": w, "total": t} for k in (50, 100, 300, 800) for w in ("log", "idf")
                            for t in ("mean", "sum")]),
    "logistic_on_counts": (logistic, [{"penalty": c, "scale": s} for c in (0.0001, 0.001, 0.01, 0.1, 1.0) for s in ("log", "raw")]),
}
