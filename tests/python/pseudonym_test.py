# SPDX-License-Identifier: Apache-2.0
"""Raw ids and the key of a data set's pseudonyms, given to what takes ids by hand (docs/privacy.md)."""
import functools
import unittest

import penchant
import shop

KEY = shop.FOLDER / "shop.key"


@functools.cache
def model():
    penchant.new_key(KEY)
    data = penchant.ingest(shop.files() / "events.csv", shop.FOLDER / "secret.data", progress=False,
                           **{"data.pseudonymise": ["user", "item"], "data.pseudonym_key": str(KEY)}, **shop.COLUMNS)
    return penchant.train(data, shop.FOLDER / "secret.model", progress=False, **shop.QUICK)


class Key(shop.Case):
    def test_raw_ids_with_the_key_are_their_pseudonyms(self):
        opened = model()
        user, other = penchant.pseudonyms(["u1", "u2"], KEY)
        item, near = penchant.pseudonyms(["i1", "i2"], KEY, "item")
        quiet = {"progress": False}
        lists = opened.recommend(["u1", "u2"], 3, exclude=["i2"], key=KEY, **quiet)
        self.assertEqual(lists, opened.recommend([user, other], 3, exclude=[near], **quiet))
        self.assertEqual(set(lists["user_id"].to_pylist()), {user, other})
        self.assertEqual(opened.recommend(history=["i1", "i2"], k=3, key=KEY, **quiet),
                         opened.recommend(history=[item, near], k=3, **quiet))
        self.assertEqual(opened.similar("i1", 3, only_items=["i2"], key=KEY, **quiet)["item_id"].to_pylist(), [near])
        self.assertEqual(opened.similar_users("u1", 3, key=KEY, **quiet), opened.similar_users(user, 3, **quiet))
        self.assertEqual(dict(opened.explain("u1", "i1", key=KEY, **quiet)), dict(opened.explain(user, item, **quiet)))
        seed = [f"u{n}" for n in range(1, 40)]
        by_key = opened.audience(seed, size=30, exclude=["u50"], key=KEY, unknown="skip", **quiet)
        self.assertEqual(by_key, opened.audience(penchant.pseudonyms(seed, KEY), size=30, exclude=penchant.pseudonyms(["u50"], KEY),
                                                 unknown="skip", **quiet))

    def test_without_it_they_are_not_known_and_not_told(self):
        with self.assertRaises(penchant.InputError) as raised:
            model().recommend("u1", progress=False)
        self.assertIn("which is not shown", str(raised.exception))
        self.assertNotIn("u1", str(raised.exception))

    def test_the_functions_take_it_as_well(self):
        opened, quiet = model(), {"progress": False}
        data = opened.data
        user = penchant.pseudonyms(["u1"], KEY)
        self.assertEqual(penchant.recommend(data, opened.path, "u1", 2, key=KEY, **quiet)["user_id"].to_pylist(), user * 2)
        self.assertEqual(penchant.similar(data, opened.path, "i1", 2, key=KEY, **quiet), opened.similar("i1", 2, key=KEY, **quiet))
        self.assertEqual(dict(penchant.explain(data, opened.path, "u1", "i1", key=KEY, **quiet)),
                         dict(opened.explain("u1", "i1", key=KEY, **quiet)))

    def test_a_key_that_is_not_the_data_sets_is_an_error(self):
        opened, quiet = model(), {"progress": False}
        other = shop.FOLDER / "other.key"
        penchant.new_key(other)
        plain = shop.model()
        for call in (lambda of, key: of.recommend("u1", key=key, **quiet), lambda of, key: of.similar("i1", key=key, **quiet),
                     lambda of, key: of.similar_users("u1", key=key, **quiet),
                     lambda of, key: of.explain("u1", "i1", key=key, **quiet),
                     lambda of, key: of.audience([f"u{n}" for n in range(40)], size=30, key=key, unknown="skip", **quiet)):
            for of, key, words in ((opened, other, "another key"), (plain, KEY, "has no effect")):
                with self.assertRaises(penchant.InputError) as raised:
                    call(of, key)
                self.assertIn(words, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
