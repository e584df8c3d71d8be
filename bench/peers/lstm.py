# SPDX-License-Identifier: Apache-2.0
"""lstm.py: training steps of one LSTM layer alone and of LSTM + MLP + softmax over all items, by PyTorch.

    lstm.py BATCH LONGEST INPUTS HIDDEN ITEMS

Sequences are packed; the b-th of B has LONGEST B / (B + 8 b) steps, as in bench/recurrent_bench.cc."""
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

batch, longest, inputs, hidden, items = (int(argument) for argument in sys.argv[1:6])
lengths = [longest * batch // (batch + 8 * b) for b in range(batch)]
sizes = torch.tensor([sum(length > t for length in lengths) for t in range(longest)])
rows = int(sizes.sum())
torch.manual_seed(1)
lstm = nn.LSTM(inputs, hidden)
mlp = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, inputs))
table = nn.Parameter(0.1 * torch.randn(max(items, 1), inputs))
targets = torch.randint(max(items, 1), (rows,))
optimizer = torch.optim.Adam([table, *lstm.parameters(), *mlp.parameters()])
x = torch.randn(rows, inputs, requires_grad=True)
d_h = torch.randn(rows, hidden)


def layer():
    x.grad = None
    lstm.zero_grad()
    lstm(PackedSequence(x, sizes))[0].data.backward(d_h)


def step():
    optimizer.zero_grad()
    h = lstm(PackedSequence(table[targets], sizes))[0].data
    nn.functional.cross_entropy(mlp(h) @ table.T / 0.1, targets).backward()
    optimizer.step()


def median_ms(function, repeats=15):
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), min(times)


layer_ms, layer_best_ms = median_ms(layer)
step_ms, step_best_ms = median_ms(step, 5) if items > 0 else (None, None)
print(json.dumps({"rows": rows, "layer_ms": layer_ms, "layer_best_ms": layer_best_ms, "step_ms": step_ms,
                  "step_best_ms": step_best_ms,
                  "versions": {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}}))
