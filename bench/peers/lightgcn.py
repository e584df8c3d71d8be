# SPDX-License-Identifier: Apache-2.0
"""lightgcn.py ADJACENCY X.data STEPS THREADS: LightGCN as its authors train it (BPR, batch 2048, d = 64, three layers, Adam), in PyTorch
with a CSR adjacency and its own backward product; milliseconds a step."""
import json
import pathlib
import sys
import time
import warnings

import numpy as np
import torch

warnings.filterwarnings("ignore")

folder, data, steps = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]))
offsets, columns, values = (np.load(folder / f"{name}.npy") for name in ("offsets", "columns", "values"))
size = len(offsets) - 1
adjacency = torch.sparse_csr_tensor(torch.from_numpy(offsets.astype(np.int32)), torch.from_numpy(columns),
                                    torch.from_numpy(values), (size, size))
users, items = (torch.from_numpy(np.load(data / "train" / f"{name}.npy").astype(np.int64)) for name in ("user", "item"))
num_users = json.loads((data / "manifest.json").read_text())["num_users"]
num_items = size - num_users


class Product(torch.autograd.Function):
    """The matrix is symmetric, so the backward product is the forward one; autograd's own is slower."""

    @staticmethod
    def forward(ctx, x):
        return adjacency @ x

    @staticmethod
    def backward(ctx, gradient):
        return adjacency @ gradient.contiguous()


torch.manual_seed(1)
embeddings = torch.nn.Parameter(torch.randn(size, 64) * 0.1)
optimizer = torch.optim.Adam([embeddings], lr=1e-3)
order = torch.randperm(len(users))


def step(number):
    rows = order[(number * 2048) % (len(users) - 2048):][:2048]
    layer = total = embeddings
    for _ in range(3):
        layer = Product.apply(layer)
        total = total + layer
    final = total / 4
    user = final[users[rows]]
    positive = final[num_users + items[rows]]
    negative = final[num_users + torch.randint(num_items, (2048,))]
    loss = torch.nn.functional.softplus(-(user * (positive - negative)).sum(1)).mean()
    loss = loss + 1e-4 * embeddings[users[rows]].square().sum() / 2048
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for number in range(5):
    step(number)
start = time.perf_counter()
for number in range(steps):
    step(number)
print(json.dumps({"step_ms": (time.perf_counter() - start) / steps * 1e3,
                  "versions": {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}}))
