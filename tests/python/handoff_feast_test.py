# SPDX-License-Identifier: Apache-2.0
"""Feast reads what to_feast wrote: offline by time, and after materialize online. A process of its own: Feast wants pandas 2."""
import datetime
import importlib.util
import os
import unittest

import numpy
import penchant
import shop
from penchant import handoff

LONG_AGO = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


class Feast(shop.Case):
    @classmethod
    def setUpClass(cls):
        if importlib.util.find_spec("feast") is None:
            if os.environ.get("PENCHANT_STORES") == "1":
                raise AssertionError("feast is not installed, but PENCHANT_STORES=1 says that it is")
            raise unittest.SkipTest("feast is not installed")

    def test_offline_and_online(self):
        import pandas
        from feast import FeatureStore, RepoConfig

        model = shop.model()
        folder = shop.FOLDER / "feast"
        folder.mkdir()
        store = FeatureStore(config=RepoConfig(
            project="shop", provider="local", registry=str(folder / "registry.db"), entity_key_serialization_version=3,
            online_store={"type": "sqlite", "path": str(folder / "online.db")}, offline_store={"type": "file"}))
        for entity in ("items", "users"):
            made = handoff.to_feast(model, folder / f"{entity}.parquet", entity=entity, event_timestamp=LONG_AGO)
            definitions = made.query[:made.query.index("store.apply")]
            names = {}
            exec(definitions, names)  # as a user has them from the Handoff
            one = entity.removesuffix("s")
            store.apply([names[one], names[f"{one}_vectors"]])
            ids, vectors = ((model.item_ids, model.item_vectors) if entity == "items" else (model.user_ids, model.user_vectors))
            ids = ids.to_pylist()

            asked = pandas.DataFrame({f"{one}_id": ids, "event_timestamp": LONG_AGO + datetime.timedelta(hours=1)})
            offline = store.get_historical_features(entity_df=asked, features=[f"{one}_vectors:vector"]).to_df()
            rows = dict(zip(offline[f"{one}_id"], offline["vector"]))
            numpy.testing.assert_array_equal(vectors, numpy.array([rows[text] for text in ids]))
            asked["event_timestamp"] = LONG_AGO - datetime.timedelta(hours=1)
            before = store.get_historical_features(entity_df=asked, features=[f"{one}_vectors:vector"]).to_df()
            self.assertTrue(before["vector"].isna().all())

            store.materialize(LONG_AGO - datetime.timedelta(days=1), LONG_AGO + datetime.timedelta(days=1), disable_event_timestamp=False)
            online = store.get_online_features(features=[f"{one}_vectors:vector"],
                                               entity_rows=[{f"{one}_id": text} for text in ids]).to_dict()
            self.assertEqual(ids, online[f"{one}_id"])
            numpy.testing.assert_array_equal(vectors, numpy.array(online["vector"], numpy.float32))

    def test_target_and_time(self):
        path = shop.FOLDER / "there.parquet"
        rows = (["a", "b"], numpy.eye(2))
        handoff.to_feast(rows, path)
        with self.assertRaisesRegex(penchant.InputError, "is there already; overwrite=True replaces it"):
            handoff.to_feast(rows, path)
        with self.assertRaisesRegex(penchant.InputError, "event_timestamp is of type str, expected a datetime"):
            handoff.to_feast(rows, path, event_timestamp="2024-01-01", overwrite=True)
        import pyarrow.parquet

        handoff.to_feast(rows, path, event_timestamp=datetime.datetime(2024, 1, 1), overwrite=True)
        self.assertEqual([LONG_AGO] * 2, pyarrow.parquet.read_table(path)["event_timestamp"].to_pylist())


if __name__ == "__main__":
    unittest.main()
