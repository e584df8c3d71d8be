# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: it shows nothing of itself to other libraries, is typed, its examples are true."""
import doctest
import pathlib
import subprocess
import sys
import unittest

import penchant
import shop


class Package(shop.Case):
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
        import penchant._text
        import penchant.handoff._target
        import penchant.handoff._written

        tried = 0
        for module in (penchant, penchant._calls, penchant._objects, penchant._recommender, penchant._text, penchant.handoff, penchant.handoff._target,
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
