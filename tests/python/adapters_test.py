# SPDX-License-Identifier: Apache-2.0
"""Models in LensKit and RecTools: their lists are the model's, and their metrics those of `evaluate` where docs/metrics.md says so."""
import functools
import importlib.util
import unittest

import penchant
import shop

COLUMNS = {"user_column": "user_id", "item_column": "item_id", "time_column": "timestamp"}


@functools.cache
def parts():
    """Frames user_id, item_id, timestamp: train and test, by time; whoever is in test is in train."""
    import pandas as pd

    log = pd.read_csv(shop.files() / "events.csv")[["user", "item", "time"]]
    log = log.rename(columns=dict(zip(log.columns, COLUMNS.values())))
    log = log.drop_duplicates(["user_id", "item_id"]).sort_values("timestamp", kind="stable")
    train, test = log.iloc[:len(log) * 4 // 5], log.iloc[len(log) * 4 // 5:]
    return train, test[test["user_id"].isin(train["user_id"]) & test["item_id"].isin(train["item_id"])]


@functools.cache
def model():
    train, test = parts()
    data = penchant.ingest(train, shop.FOLDER / "parts.data", test=test, progress=False,
                           **{"data.split.method": "given", "data.split.validation_fraction": 0.0}, **COLUMNS)
    settings = {**shop.QUICK, "train.validate_every": 0}
    return penchant.train(data, shop.FOLDER / "parts.model", progress=False, **settings)


class Adapter(shop.Case):
    library = ""

    @classmethod
    def setUpClass(cls):
        if importlib.util.find_spec(cls.library) is None:
            raise unittest.SkipTest(f"{cls.library} is not installed")
        cls.want = model().evaluate(progress=False)

    def assert_equal_metrics(self, got, others):
        """To four digits, but for those that have another formula."""
        for name, value in got.items():
            if name in others:
                self.assertGreater(abs(self.want[name] - value), 2e-4, msg=name)
            else:
                self.assertAlmostEqual(self.want[name], value, delta=5e-5, msg=name)


class RecTools(Adapter):
    library = "rectools"

    def test_lists_and_metrics(self):
        from rectools.dataset import Dataset
        from rectools.metrics import MAP, MRR, NDCG, CatalogCoverage, HitRate, Precision, Recall, calc_metrics

        from penchant.adapters.rectools import PenchantModel

        train, test = (part.assign(weight=1.0).rename(columns={"timestamp": "datetime"}) for part in parts())
        dataset = Dataset.construct(train)
        users = test["user_id"].unique()
        adapter = PenchantModel(model()).fit(dataset)
        lists = adapter.recommend(users, dataset, k=10, filter_viewed=True)
        want = model().recommend(users, 10, seen="mask", only_items=train["item_id"].unique(), progress=False).to_pandas()
        order = ["user_id", "rank"]
        self.assertEqual(want.sort_values(order).values.tolist(), lists.sort_values(order)[want.columns].values.tolist())
        some = list(train["item_id"].unique()[:30])
        self.assertLessEqual(set(adapter.recommend(users, dataset, 10, True, items_to_recommend=some)["item_id"]), set(some))
        near = adapter.recommend_to_items(some[:2], dataset, k=3)
        self.assertEqual(model().similar(some[:2], 3, progress=False)["item_id"].to_pylist(), near["item_id"].tolist())

        metrics = {"recall@10": Recall(10), "precision@10": Precision(10), "hit_rate@10": HitRate(10), "mrr@10": MRR(10),
                   "map@10": MAP(10), "ndcg@10": NDCG(10, divide_by_achievable=True), "coverage@10": CatalogCoverage(10, normalize=True)}
        got = calc_metrics(metrics, lists, test, catalog=model().item_ids.to_pylist())
        self.assert_equal_metrics(got, ["map@10"])
        self.assert_equal_metrics(calc_metrics({"ndcg@10": NDCG(10)}, lists, test), ["ndcg@10"])


class LensKit(Adapter):
    library = "lenskit"

    def test_lists_and_metrics(self):
        import pickle

        from lenskit.batch import recommend
        from lenskit.data import ItemListCollection, UserIDKey, from_interactions_df
        from lenskit.metrics import NDCG, LogRankWeight, Hit, Precision, RecipRank, Recall, RunAnalysis
        from lenskit.pipeline import topn_pipeline

        from penchant.adapters.lenskit import PenchantScorer

        train, test = parts()
        dataset = from_interactions_df(train[["user_id", "item_id"]])
        scorer = PenchantScorer(model=model().path, data=model().data)
        pipeline = topn_pipeline(pickle.loads(pickle.dumps(scorer)), n=10)
        pipeline.train(dataset)
        users = list(test["user_id"].unique())
        lists = recommend(pipeline, users, n=10, n_jobs=1)
        want = model().recommend(users, 10, seen="mask", only_items=train["item_id"].unique(), progress=False).to_pandas()
        for user in users[:20]:
            rows = want[want["user_id"] == user]
            self.assertEqual(rows["item_id"].tolist(), lists.lookup(user).ids().tolist())
            self.assertEqual(rows["score"].tolist(), lists.lookup(user).scores().tolist())
        nobody = pipeline.run("scorer", query="nobody", items=lists.lookup(users[0]))
        self.assertTrue(all(score != score for score in nobody.scores()))

        analysis = RunAnalysis()
        names = {Precision(10): "precision@10", Hit(10): "hit_rate@10", RecipRank(10): "mrr@10", Recall(10): "recall@10",
                 NDCG(10, weight=LogRankWeight(offset=1)): "ndcg@10"}
        for metric in [*names, NDCG(10)]:
            analysis.add_metric(metric, label=names.get(metric, "NDCG"))
        got = analysis.measure(lists, ItemListCollection.from_df(test[["user_id", "item_id"]], UserIDKey)).list_metrics().mean()
        self.assert_equal_metrics({name: got[name] for name in names.values()}, ["recall@10"])
        self.assert_equal_metrics({"ndcg@10": got["NDCG"]}, ["ndcg@10"])


if __name__ == "__main__":
    unittest.main()
