# SPDX-License-Identifier: Apache-2.0
"""compress does what the command line does: the same bytes, the same facts."""
import unittest

import numpy

import penchant
import shop


class Compress(shop.Case):
    def test_it_is_the_verb(self):
        model = shop.model()
        said = model.compress(shop.FOLDER / "python.int8", "int8", progress=False)
        told = shop.as_json("compress", model.data, model.path, "--vectors", "int8", "--out", shop.FOLDER / "line.int8")
        self.assertEqual({**told, "out": said["out"]}, said)
        for name in ("items.npy", "users.npy", "items.scales.npy", "users.scales.npy"):
            numpy.testing.assert_array_equal(numpy.load(shop.FOLDER / "python.int8" / name), numpy.load(shop.FOLDER / "line.int8" / name))
        self.assertEqual(numpy.int8, numpy.load(shop.FOLDER / "python.int8" / "items.npy").dtype)

    def test_what_cannot_be_done_is_an_input_error(self):
        for options, words in (({"vectors": "int4"}, "int4"), ({}, "one of --vectors"), ({"network": "int8"}, "interest models"),
                               ({"vectors": "int8", "code_bytes": 3}, "--bytes")):
            with self.assertRaises(penchant.InputError) as raised:
                shop.model().compress(shop.FOLDER / "none", progress=False, **options)
            self.assertIn(words, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
