# SPDX-License-Identifier: Apache-2.0
"""Recommender behaves as scikit-learn's estimators do, and answers as the model does."""
import unittest

import numpy as np
import scipy.sparse
import sklearn.base

import penchant
import shop

SETTINGS = {**shop.QUICK, "train.validate_every": 0}


def matrix():
    """Two groups of users who take items of their own group; the last item is nobody's."""
    random = np.random.default_rng(3)
    dense = np.zeros((40, 21), dtype=np.int64)
    dense[:20, :10] = random.random((20, 10)) < 0.6
    dense[20:, 10:20] = random.random((20, 10)) < 0.6
    return scipy.sparse.csr_matrix(dense)


class Recommender(shop.Case):
    @classmethod
    def setUpClass(cls):
        cls.matrix = matrix()
        cls.fitted = penchant.Recommender(settings=SETTINGS).fit(cls.matrix)

    def test_clone_and_parameters(self):
        made = penchant.Recommender(budget=7, settings={"train.seed": 3})
        other = sklearn.base.clone(made)
        self.assertEqual(made.get_params(), other.get_params())
        self.assertEqual(9, other.set_params(budget=9).budget)
        self.assertEqual(7, made.budget)
        with self.assertRaisesRegex(ValueError, "has no parameter 'budgets'"):
            made.set_params(budgets=1)
        self.assertEqual("Recommender(budget=7, settings={'train.seed': 3})", repr(made))

    def test_recommend(self):
        self.assertEqual(21, self.fitted.dataset_.num_items)
        ids, scores = self.fitted.recommend(3, N=4)
        self.assertEqual((4,), ids.shape)
        self.assertTrue(set(ids).isdisjoint(self.matrix[3].indices))
        want = self.fitted.model_.recommend("3", 4, seen="mask", progress=False)
        self.assertEqual([str(item) for item in ids], want["item_id"].to_pylist())
        np.testing.assert_array_equal(np.float32(want["score"].to_pylist()), scores)
        many, _ = self.fitted.recommend([3, 5, 3], N=4)
        np.testing.assert_array_equal(ids, many[0])
        np.testing.assert_array_equal(ids, many[2])
        liked, _ = self.fitted.recommend(3, N=20, filter_already_liked_items=False)
        self.assertLessEqual(set(self.matrix[3].indices), set(liked))
        short, nothing = self.fitted.recommend(3, N=21)
        self.assertEqual(-1, short[-1])
        self.assertTrue(np.isnan(nothing[-1]))

    def test_recommend_by_items(self):
        ids, _ = self.fitted.recommend([0, 1], self.matrix[:2], N=3)
        want = self.fitted.model_.recommend(history=self.matrix[1].indices.tolist(), k=3, seen="mask", progress=False)
        self.assertEqual(want["item_id"].to_pylist(), [str(item) for item in ids[1]])
        with self.assertRaisesRegex(ValueError, "user_items has 2 rows, expected one for each of 1 users"):
            self.fitted.recommend([0], self.matrix[:2])

    def test_similar_items(self):
        ids, scores = self.fitted.similar_items(2, N=5)
        want = self.fitted.model_.similar(2, 5)
        self.assertEqual(want["item_id"].to_pylist(), [str(item) for item in ids])
        self.assertEqual((5,), scores.shape)


if __name__ == "__main__":
    unittest.main()
