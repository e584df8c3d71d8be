# SPDX-License-Identifier: Apache-2.0
"""tags.py: what scikit-learn and label propagation make of the same items, for bench/tags.py.

usage: tags.py FOLDER, which holds
  vectors.npy   [N x D] the model's vectors of the items, of length 1
  labels.npz    CSR [N x C], the true values
  hidden.npy    [N] bool, whose values are asked for
  texts.json    [N] the title of each item, or absent
  facts.json    {"list": bool, "settings": {...} or null, "seed": int}: settings found before, or null to find them
Settings are chosen on a tenth of the known items, by accuracy + macro-F1 of what the rest learned; the hidden ones are looked at
once, at the end. Writes predictions NAME.npz (probabilities [hidden x C], told [hidden x C]) and settings.json."""
import json
import pathlib
import sys
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore", category=ConvergenceWarning)
folder = pathlib.Path(sys.argv[1])
facts = json.loads((folder / "facts.json").read_text())
labels = sp.load_npz(folder / "labels.npz").toarray().astype(np.int8)
hidden = np.load(folder / "hidden.npy")
vectors = np.load(folder / "vectors.npy")
num_classes = labels.shape[1]
is_list = facts["list"]
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def jaccard(truth, told):
    both, either = (truth & told).sum(1), (truth | told).sum(1)
    return float(np.mean(both / np.maximum(either, 1)))


def told_of(p, threshold):
    told = np.zeros(p.shape, np.int8)
    if is_list:
        return (p >= threshold).astype(np.int8)
    told[np.arange(len(p)), p.argmax(1)] = 1
    return told


def quality(truth, p):
    """Accuracy + macro-F1, and the threshold of a list at which it is largest."""
    best = (-1.0, 0.0)
    for threshold in THRESHOLDS if is_list else (0.0,):
        told = told_of(p, threshold)
        counted = truth.sum(0) >= (5 if is_list else 1)
        score = jaccard(truth, told) + f1_score(truth[:, counted], told[:, counted], average="macro", zero_division=0)
        best = max(best, (score, threshold))
    return best


def majority(train, asked, _):
    return np.tile(labels[train].mean(0), (len(asked), 1))


_graph = {}


def propagation(train, asked, setting):
    """Label spreading (Zhou et al. 2004), F = alpha S F + (1 - alpha) Y, on the symmetric kNN graph of the vectors, as scikit-learn's
    LabelSpreading has it, of any number of values an item. It knows all items, and the values of `train`."""
    k, alpha = setting["k"], setting["alpha"]
    if k not in _graph:
        near = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(vectors)
        distances, others = near.kneighbors(vectors)
        rows = np.repeat(np.arange(len(vectors)), k)
        graph = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, others[:, 1:].ravel())), shape=(len(vectors),) * 2)
        graph = graph.maximum(graph.T)
        scale = sp.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(1)).ravel(), 1))).astype(np.float32)
        _graph[k] = scale @ graph @ scale
    y = np.zeros((len(vectors), num_classes), np.float32)
    y[train] = labels[train]
    f = y.copy()
    for _ in range(30):
        f = alpha * (_graph[k] @ f) + (1 - alpha) * y
    p = f[asked]
    if is_list:  # of a row: as many values as items have on average, so that thresholds mean the same for all
        return np.minimum(1, p / np.maximum(p.sum(1, keepdims=True), 1e-12) * labels[train].sum(1).mean())
    return p / np.maximum(p.sum(1, keepdims=True), 1e-12)


def regression(table):
    def fit(train, asked, setting):
        options = {"C": setting["C"], "class_weight": setting.get("class_weight"), "max_iter": 100}
        p = np.zeros((len(asked), num_classes))
        if not is_list:
            model = LogisticRegression(**options).fit(table[train], labels[train].argmax(1))
            p[:, model.classes_] = model.predict_proba(table[asked])
            return p
        for c in range(num_classes):
            y = labels[train, c]
            if y.sum() > 0:
                model = LogisticRegression(solver="liblinear", C=setting["C"]).fit(table[train], y)
                p[:, c] = model.predict_proba(table[asked])[:, 1]
        return p
    return fit


BALANCED = [] if is_list else [{"C": 10, "class_weight": "balanced"}]
methods = {"majority": (majority, [{}]),
           "label_propagation": (propagation, [{"k": k, "alpha": alpha} for k in (5, 10, 20) for alpha in (0.2, 0.5, 0.9)]),
           "logistic_vectors": (regression(vectors), [{"C": 1}, {"C": 10}, {"C": 100}, *BALANCED])}
if (folder / "texts.json").exists():
    texts = TfidfVectorizer(token_pattern=r"[A-Za-z0-9]+").fit_transform(json.loads((folder / "texts.json").read_text()))
    methods["logistic_tfidf"] = (regression(texts.tocsr()), [{"C": 1}, {"C": 10}, {"C": 100}, *BALANCED])
known, asked = np.flatnonzero(~hidden), np.flatnonzero(hidden)
check = np.random.default_rng(facts["seed"]).random(len(known)) < 0.1
chosen = facts["settings"] or {}
for name, (method, settings) in methods.items():
    if name not in chosen:
        tried = [(*quality(labels[known[check]], method(known[~check], known[check], setting)), i) for i, setting in enumerate(settings)]
        score, threshold, place = max(tried, key=lambda each: (each[0], -each[2]))
        chosen[name] = {**settings[place], "threshold": threshold, "score": score}
        print(name, chosen[name], flush=True)
    p = method(known, asked, chosen[name])
    np.savez_compressed(folder / f"{name}.npz", p=p.astype(np.float32), told=told_of(p, chosen[name]["threshold"]))
(folder / "settings.json").write_text(json.dumps(chosen))
