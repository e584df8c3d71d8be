# SPDX-License-Identifier: Apache-2.0
"""The notebooks of examples/notebooks run as they stand, and say what they say of themselves."""
import json
import os
import pathlib
import tempfile
import unittest

try:
    import nbclient
    import nbformat
except ImportError as missing:
    raise unittest.SkipTest(f"{missing}; make test installs it") from None

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "examples/notebooks"


class Notebooks(unittest.TestCase):
    def run_notebook(self, name):
        """Executed in a folder of its own; any error of a cell fails."""
        book = nbformat.read(FOLDER / name, as_version=4)
        with tempfile.TemporaryDirectory(prefix="penchant_notebook_") as folder:
            os.environ["TMPDIR"] = folder  # of the kernel: all that the notebook writes goes with it
            nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        return [cell for cell in book.cells if cell.cell_type == "code"]

    def output(self, cells, part):
        """What the last line of the cell that holds `part` is."""
        cell, = [cell for cell in cells if part in cell.source]
        return next(shown["data"]["text/plain"] for shown in cell.outputs if shown["output_type"] == "execute_result")

    def test_a_shop(self):
        cells = self.run_notebook("shop.ipynb")
        self.assertIn("vectors that learnt it", "".join(shown.get("text", "") for cell in cells for shown in cell.outputs))
        self.assertEqual(2, sum("image/png" in shown.get("data", {}) for cell in cells[1:9] for shown in cell.outputs), "two plots")
        metrics = eval(self.output(cells, "baselines=True"), {"nan": float("nan")})
        self.assertGreater(metrics["ndcg@20"], 0.1)
        self.assertIn("PRODUCE", self.output(cells, 'department = "PRODUCE"'))

    def test_an_index(self):
        cells = self.run_notebook("index.ipynb")
        # But for scores so close that another order of additions exchanges them.
        self.assertGreater(float(self.output(cells, "list(ids[row]) == own[household]")), 0.99, "the index ranks as the model")
        shares = dict(line.rsplit(maxsplit=1) for line in self.output(cells, "IndexFlatL2").splitlines()[:3])
        self.assertGreater(float(shares["inner product"]), 0.99)
        self.assertLess(float(shares["L2"]), 0.9)

    def test_they_are_kept_with_their_results(self):
        for path in sorted(FOLDER.glob("*.ipynb")):
            cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
            shown = [cell for cell in cells if cell["outputs"]]
            self.assertGreater(len(shown), len(cells) / 2, path.name)
            self.assertNotIn("/home/", path.read_text())


if __name__ == "__main__":
    unittest.main()
