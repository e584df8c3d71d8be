# SPDX-License-Identifier: Apache-2.0
"""spmm.py FOLDER WIDTH: the product of the CSR matrix in FOLDER with a dense table, by PyTorch and by SciPy."""
import json
import pathlib
import statistics
import sys
import time
import warnings

import numpy as np
import scipy
import scipy.sparse as sp
import torch

warnings.filterwarnings("ignore")


def median_ms(function, repeats=15):
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


folder, width = pathlib.Path(sys.argv[1]), int(sys.argv[2])
offsets, columns, values = (np.load(folder / f"{name}.npy") for name in ("offsets", "columns", "values"))
size = len(offsets) - 1
table = np.random.default_rng(1).standard_normal((size, width), dtype=np.float32)
matrix = sp.csr_matrix((values, columns, offsets.astype(np.int32)), shape=(size, size))
tensor = torch.sparse_csr_tensor(torch.from_numpy(offsets.astype(np.int32)), torch.from_numpy(columns),
                                 torch.from_numpy(values), (size, size))
dense = torch.from_numpy(table)
difference = float(np.abs((tensor @ dense).numpy() - matrix @ table).max())
if not difference < 1e-4:
    sys.exit(f"spmm.py: PyTorch and SciPy differ by {difference}")
with torch.no_grad():
    print(json.dumps({"torch_csr_ms": median_ms(lambda: tensor @ dense), "scipy_ms": median_ms(lambda: matrix @ table),
                      "versions": {"torch": torch.__version__, "scipy": scipy.__version__,
                                   "torch_threads": torch.get_num_threads()}}))
