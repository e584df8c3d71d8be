#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference numbers for tests/pipeline/evaluation/pair_metrics_test.cc, by scikit-learn.

    python tests/golden/make_pairs_golden.py > tests/golden/pairs.json

Probabilities are odd multiples of 1/128, exact in float32 and never on the edge of a bin, or 0 or 1.
"""

import json
import platform
import random
import sys

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

BINS = 10


def user_auc(users, labels, scores):
    values = []
    for user in np.unique(users):
        of_user = users == user
        if len(np.unique(labels[of_user])) == 2:
            values.append(metrics.roc_auc_score(labels[of_user], scores[of_user]))
    return float(np.mean(values))


def calibration_error(labels, scores):
    share, mean = calibration_curve(labels, scores, n_bins=BINS, strategy="uniform")
    counts = np.histogram(scores, bins=np.linspace(0, 1, BINS + 1))[0]
    return float(np.sum(counts[counts > 0] * np.abs(share - mean)) / len(labels))


def case(seed, num_pairs, num_users, threshold, extremes):
    numbers = random.Random(seed)
    users = np.array([numbers.randrange(num_users) for _ in range(num_pairs)])
    labels = np.array([numbers.randrange(2) for _ in range(num_pairs)])
    scores = np.array(
        [(2 * min(63, numbers.randrange(48) + 16 * label) + 1) / 128 for label in labels], np.float32)
    if extremes:
        scores[:4] = [0, 1, 0, 1]
        labels[:4] = [0, 1, 1, 0]
    predicted = scores >= threshold
    return {
        "users": users.tolist(), "labels": labels.tolist(), "scores": scores.tolist(), "threshold": threshold,
        "values": {
            "accuracy": metrics.accuracy_score(labels, predicted),
            "precision": metrics.precision_score(labels, predicted),
            "recall": metrics.recall_score(labels, predicted),
            "f1": metrics.f1_score(labels, predicted),
            "auc": metrics.roc_auc_score(labels, scores),
            "user_auc": user_auc(users, labels, scores),
            "log_loss": metrics.log_loss(labels, scores),
            "mae": metrics.mean_absolute_error(labels, scores.astype(float)),
            "calibration_error": calibration_error(labels, scores),
        },
    }


def ratings(seed, count):
    numbers = random.Random(seed)
    actual = [numbers.randrange(1, 6) for _ in range(count)]
    predicted = [numbers.randrange(64, 320) / 64 for _ in range(count)]
    return {
        "actual": actual, "predicted": predicted,
        "values": {
            "rmse": float(np.sqrt(metrics.mean_squared_error(actual, predicted))),
            "mae": metrics.mean_absolute_error(actual, predicted),
        },
    }


json.dump(
    {
        "versions": {"python": platform.python_version(), "scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "pairs": [case(1, 40, 7, 0.5, False), case(2, 200, 30, 0.625, True), case(3, 300, 400, 0.25, False)],
        "ratings": ratings(4, 50),
    },
    sys.stdout)
print()
