# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: it lives beside other libraries in one process, shows nothing of itself to them, its examples are true."""
import doctest
import importlib.util
import pathlib
import subprocess
import sys
import unittest

import penchant
import shop

WORK = """
import numpy as np
model = penchant.Model({model!r}, {data!r})
best = model.recommend(model.user_ids[0].as_py(), 3, progress=False).to_pylist()[0]
row = model.item_ids.to_pylist().index(best["item_id"])
assert abs(float(model.item_vectors[row] @ model.user_vectors[0]) - best["score"]) < 1e-5
assert np.isfinite(np.linalg.svd(np.random.default_rng(1).random((50, 50)))[1]).all()
"""


class Package(shop.Case):
    def test_with_each_library_first_and_last(self):
        libraries = []
        for library in ("pyarrow", "pyarrow.parquet", "numpy", "pandas", "polars", "duckdb", "scipy.linalg", "sklearn", "torch"):
            if importlib.util.find_spec(library.split(".")[0]) is None:
                print(f"{library} is not installed: left out")
                continue
            libraries.append(library)
        for first in [*(f"{library}, penchant" for library in libraries), ", ".join(["penchant", *libraries])]:
            with self.subTest(first):
                work = WORK.format(model=shop.model().path, data=shop.dataset().path)
                child = subprocess.run([sys.executable, "-c", f"import {first}{work}"], capture_output=True, text=True)
                self.assertEqual((0, ""), (child.returncode, child.stderr))

    def test_nothing_but_its_start_is_exported(self):
        extension = penchant._core.__file__
        listed = subprocess.run(["nm", "-D", "--defined-only", extension], capture_output=True, text=True, check=True).stdout
        self.assertEqual(["PyInit__core"], [line.split()[-1] for line in listed.splitlines()])

    def test_import_brings_no_slow_library(self):
        code = "import sys, penchant; print(*(m for m in ('numpy', 'pyarrow', 'pandas', 'tqdm', 'torch', 'scipy') if m in sys.modules))"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertEqual("\n", child.stdout)

    def test_examples(self):
        import penchant._calls
        import penchant._objects
        import penchant._recommender
        import penchant.handoff._target
        import penchant.handoff._written

        tried = 0
        for module in (penchant, penchant._calls, penchant._objects, penchant._recommender, penchant.handoff, penchant.handoff._target,
                       penchant.handoff._written):
            result = doctest.testmod(module, extraglobs={"penchant": penchant, "tmp": shop.FOLDER})
            self.assertEqual(0, result.failed)
            tried += result.attempted
        self.assertGreater(tried, 5)

    def test_the_guide(self):
        guide = pathlib.Path(__file__).parents[2] / "docs/python.md"
        result = doctest.testfile(str(guide), module_relative=False,
                                  globs={"penchant": penchant, "shop": shop, "tmp": shop.FOLDER})
        self.assertEqual(0, result.failed)
        self.assertGreater(result.attempted, 5)

    def test_it_is_typed(self):
        folder = pathlib.Path(penchant.__file__).parent
        self.assertTrue((folder / "py.typed").exists())
        self.assertIn("class Model", (folder / "_core.pyi").read_text())


if __name__ == "__main__":
    unittest.main()
