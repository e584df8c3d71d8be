# SPDX-License-Identifier: Apache-2.0
"""evaluator_calls.py NAME DATA.json: asks one evaluator about the lists in DATA.json and prints its numbers as one JSON line.

DATA.json: `num_items`; `lists` {user: items, best first}, every item that is not masked; `scores` {user: {item: score}}; `truth` {user:
held-out items}; `train` {user: items}. Ids are whole numbers as text. Where an evaluator wants scores to rank by it gets (items - rank),
small whole numbers, so that neither ties nor float32 change an order; the model's own scores go to AUC only, where ties count.

A function below takes such a dictionary and returns {label: value}; labels without a remark are at 10 with the evaluator's defaults."""
import importlib.metadata
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
K = 10


def ranked(data):
    """{user: {item: whole number, larger is better}}."""
    return {user: {item: data["num_items"] - rank for rank, item in enumerate(items)} for user, items in data["lists"].items()}


def judged(data):
    return {user: {item: 1 for item in items} for user, items in data["truth"].items()}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def frames(data, user, item, value):
    """Truth and lists of K as data frames; the lists also with ranks from 1."""
    import pandas as pd
    truth = [(int(u), int(i), 1.0) for u, items in data["truth"].items() for i in items]
    lists = [(int(u), int(i), float(data["num_items"] - rank), rank + 1)
             for u, items in data["lists"].items() for rank, i in enumerate(items[:K])]
    return (pd.DataFrame(truth, columns=[user, item, value]), pd.DataFrame(lists, columns=[user, item, value, "rank"]))


def pytrec_eval(data):
    import pytrec_eval
    names = {"ndcg@10": "ndcg_cut_10", "recall@10": "recall_10", "precision@10": "P_10", "hit_rate@10": "success_10",
             "map@10": "map_cut_10", "mrr": "recip_rank"}
    measures = {"ndcg_cut.10", "recall.10", "P.10", "success.10", "map_cut.10", "recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(judged(data), measures).evaluate(ranked(data))
    return {label: mean(row[name] for row in found.values()) for label, name in names.items()}


def ir_measures(data):
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG
    names = {"ndcg@10": nDCG@K, "recall@10": R@K, "precision@10": P@K, "hit_rate@10": Success@K, "mrr@10": RR@K, "map@10": AP@K, "mrr": RR}
    found = ir_measures.calc_aggregate(list(names.values()), judged(data), ranked(data))
    return {label: found[measure] for label, measure in names.items()}


def ranx(data):
    from ranx import Qrels, Run, evaluate
    names = {"ndcg@10": "ndcg@10", "recall@10": "recall@10", "precision@10": "precision@10", "hit_rate@10": "hit_rate@10",
             "mrr@10": "mrr@10", "map@10": "map@10", "mrr": "mrr"}
    found = evaluate(Qrels(judged(data)), Run(ranked(data)), list(names.values()))
    return {label: float(found[name]) for label, name in names.items()}


def implicit(data):
    """Its function asks a model for lists; this model has them already."""
    import numpy as np
    import scipy.sparse as sp
    from implicit.evaluation import ranking_metrics_at_k

    if set(data["truth"]) - set(data["lists"]):
        raise LookupError("asks for the lists itself")

    class Lists:
        def recommend(self, users, rows, N=K, **_):
            return np.array([[int(i) for i in data["lists"][str(u)][:N]] for u in users], np.int32), None

    def matrix(rows):
        pairs = [(int(u), int(i)) for u, items in rows.items() for i in items]
        users, items = zip(*pairs)
        return sp.csr_matrix((np.ones(len(pairs)), (users, items)), shape=(max(map(int, data["train"])) + 1, data["num_items"]))
    found = ranking_metrics_at_k(Lists(), matrix(data["train"]), matrix(data["truth"]), K=K, show_progress=False)
    return {"ndcg@10": found["ndcg"], "precision@10": found["precision"], "map@10": found["map"], "auc": found["auc"]}


def rectools(data):
    from rectools import metrics
    truth, lists = frames(data, "user_id", "item_id", "score")
    names = {"ndcg@10": metrics.NDCG(K), "ndcg@10, divide_by_achievable=True": metrics.NDCG(K, divide_by_achievable=True),
             "recall@10": metrics.Recall(K), "precision@10": metrics.Precision(K), "hit_rate@10": metrics.HitRate(K),
             "mrr@10": metrics.MRR(K), "map@10": metrics.MAP(K), "map@10, divide_by_k=True": metrics.MAP(K, divide_by_k=True)}
    found = metrics.calc_metrics(names, lists, interactions=truth)
    return {label: float(found[label]) for label in names}


def torch_rows(data, whole):
    """Scores, labels and user numbers of all unmasked items, or of lists of K."""
    import torch
    rank, label, user = [], [], []
    for number, (name, items) in enumerate(data["lists"].items()):
        items = items if whole else items[:K]
        held = set(data["truth"].get(name, []))
        rank += [data["num_items"] - place for place in range(len(items))]
        label += [item in held for item in items]
        user += [number] * len(items)
    return torch.tensor(rank, dtype=torch.float32), torch.tensor(label), torch.tensor(user)


def torchmetrics(data):
    import torch
    from torchmetrics import retrieval
    skip = {"empty_target_action": "skip"}
    whole, short = torch_rows(data, True), torch_rows(data, False)
    own = torch.tensor([data["scores"][user][item] for user, items in data["lists"].items() for item in items], dtype=torch.float32)

    def ask(metric, rows):
        return float(metric(rows[0], rows[1], indexes=rows[2]))
    names = {"ndcg@10": retrieval.RetrievalNormalizedDCG, "recall@10": retrieval.RetrievalRecall,
             "precision@10": retrieval.RetrievalPrecision, "hit_rate@10": retrieval.RetrievalHitRate,
             "mrr@10": retrieval.RetrievalMRR, "map@10": retrieval.RetrievalMAP}
    found = {label: ask(name(top_k=K, **skip), whole) for label, name in names.items()}
    found["mrr"] = ask(retrieval.RetrievalMRR(**skip), whole)
    found["auc"] = ask(retrieval.RetrievalAUROC(**skip), (own, *whole[1:]))
    found["ndcg@10, lists of 10 alone"] = ask(retrieval.RetrievalNormalizedDCG(top_k=K, **skip), short)
    found["recall@10, lists of 10 alone"] = ask(retrieval.RetrievalRecall(top_k=K, **skip), short)
    found["ndcg@10, without empty_target_action"] = ask(retrieval.RetrievalNormalizedDCG(top_k=K), whole)
    return found


def recbole(data):
    """Its collector and evaluator, given one row of scores a user, masked items at minus infinity as its trainer does."""
    import numpy as np
    import torch
    for old, new in (("float", np.float64), ("int", np.int64), ("bool", np.bool_)):
        setattr(np, old, new)  # as its Config does
    from recbole.evaluator import Collector, Evaluator
    config = {"metrics": ["NDCG", "Recall", "Precision", "Hit", "MRR", "MAP", "GAUC"], "topk": [K], "metric_decimal_place": 15,
              "eval_args": {"mode": "full"}, "device": "cpu"}
    if set(data["truth"]) - set(data["lists"]):
        raise LookupError("asks for the scores itself")
    users = list(data["truth"])
    ranks, own = (torch.full((len(users), data["num_items"]), -float("inf")) for _ in range(2))
    rows, columns = [], []
    for row, user in enumerate(users):
        items = [int(item) for item in data["lists"][user]]
        ranks[row, items] = torch.arange(data["num_items"], data["num_items"] - len(items), -1, dtype=torch.float32)
        own[row, items] = torch.tensor([data["scores"][user][item] for item in data["lists"][user]])
        rows += [row] * len(data["truth"][user])
        columns += [int(item) for item in data["truth"][user]]
    found = {}
    for table in (ranks, own):
        collector = Collector(config)
        collector.eval_batch_collect(table.clone(), None, torch.tensor(rows), torch.tensor(columns))
        values = Evaluator(config).evaluate(collector.get_data_struct())
        found.setdefault("result", values)
        gauc = values["gauc"]  # of the model's own scores
    values = found["result"]
    return {"ndcg@10": values["ndcg@10"], "recall@10": values["recall@10"], "precision@10": values["precision@10"],
            "hit_rate@10": values["hit@10"], "mrr@10": values["mrr@10"], "map@10": values["map@10"], "auc (GAUC)": gauc}


def lenskit(data):
    from lenskit.data import ItemList, ItemListCollection
    from lenskit.metrics import NDCG, Hit, LogRankWeight, Precision, Recall, RecipRank, RunAnalysis
    from lenskit.metrics.ranking._map import AveragePrecision
    lists, truth = ItemListCollection(["user_id"]), ItemListCollection(["user_id"])
    for user, items in data["lists"].items():
        lists.add(ItemList(item_ids=[int(item) for item in items], ordered=True), user_id=int(user))
    for user, items in data["truth"].items():
        truth.add(ItemList(item_ids=[int(item) for item in items]), user_id=int(user))
    names = {"ndcg@10": NDCG(K), "ndcg@10, weight=LogRankWeight(offset=1)": NDCG(K, weight=LogRankWeight(offset=1)),
             "recall@10": Recall(K), "precision@10": Precision(K), "hit_rate@10": Hit(K), "mrr@10": RecipRank(K), "mrr": RecipRank()}
    if set(data["lists"]) <= set(data["truth"]):  # it divides by zero where a user has no truth
        names["map@10"] = AveragePrecision(K)
    analysis = RunAnalysis()
    for label, metric in names.items():
        analysis.add_metric(metric, label)
    summary = analysis.measure(lists, truth).list_summary()
    return {label: float(summary.loc[label, "mean"]) for label in names}


def cornac(data):
    """Its metrics called as its evaluation calls them, user by user."""
    import numpy as np
    from cornac import metrics
    names = {"ndcg@10": metrics.NDCG(K), "recall@10": metrics.Recall(K), "precision@10": metrics.Precision(K),
             "hit_rate@10": metrics.HitRatio(K), "mrr": metrics.MRR(), "map": metrics.MAP(), "auc": metrics.AUC()}
    if set(data["truth"]) - set(data["lists"]):
        raise LookupError("asks for the scores itself")
    found = {label: [] for label in names}
    for user, held in data["truth"].items():
        order = np.array([int(item) for item in data["lists"][user]])
        positives = np.array(sorted(int(item) for item in held))
        negatives = np.array(sorted(set(order) - set(positives)))
        items = np.sort(order)
        scores = np.array([data["scores"][user][str(item)] for item in items])
        for label, metric in names.items():
            found[label].append(metric.compute(gt_pos=positives, gt_neg=negatives, pd_rank=order, pd_scores=scores, item_indices=items))
    return {label: float(mean(values)) for label, values in found.items()}


def replay(data):
    from replay import metrics
    truth, lists = frames(data, "query_id", "item_id", "rating")
    names = {"ndcg@10": metrics.NDCG, "recall@10": metrics.Recall, "precision@10": metrics.Precision, "hit_rate@10": metrics.HitRate,
             "mrr@10": metrics.MRR, "map@10": metrics.MAP, "auc (RocAuc)": metrics.RocAuc}
    return {label: float(next(iter(name(K)(lists.drop(columns="rank"), truth).values()))) for label, name in names.items()}


def recommenders(data):
    from recommenders.evaluation import python_evaluation as evaluation
    truth, lists = frames(data, "userID", "itemID", "rating")
    lists = lists.drop(columns="rank").rename(columns={"rating": "prediction"})
    names = {"ndcg@10": evaluation.ndcg_at_k, "recall@10": evaluation.recall_at_k, "precision@10": evaluation.precision_at_k,
             "map@10 (map_at_k)": evaluation.map_at_k, "map@10 (map)": evaluation.map}
    return {label: float(name(truth, lists, k=K)) for label, name in names.items()}


PACKAGES = {"pytrec_eval": "pytrec-eval-terrier", "ir_measures": "ir-measures", "ranx": "ranx", "implicit": "implicit",
            "rectools": "rectools", "torchmetrics": "torchmetrics", "recbole": "recbole", "lenskit": "lenskit", "cornac": "cornac",
            "replay": "replay-rec", "recommenders": "recommenders"}


def variants(data):
    """Lists and truth of the same users; with lists of users who have nothing held out; with a user whose list is missing; that user alone."""
    dropped = data["dropped"]
    of = {user: data["lists"][user] for user in data["truth"]}
    yield "same", data | {"lists": of}
    yield "lists without truth", data
    yield "truth without list", data | {"lists": {user: items for user, items in of.items() if user != dropped}}
    yield "of dropped", data | {"lists": {dropped: of[dropped]}, "truth": {dropped: data["truth"][dropped]}}


if __name__ == "__main__":
    name = sys.argv[1]
    data = json.loads(pathlib.Path(sys.argv[2]).read_text())
    sys.path = [path for path in sys.path if pathlib.Path(path).resolve() != pathlib.Path(__file__).resolve().parent]
    result = {"version": importlib.metadata.version(PACKAGES[name])}
    for variant, changed in variants(data):
        try:
            result[variant] = {label: float(value) for label, value in globals()[name](changed).items()}
        except Exception as error:  # refusing is an answer too
            result[variant] = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]}
    print("\n" + json.dumps(result))  # some packages print while they are imported
