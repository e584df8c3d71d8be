# SPDX-License-Identifier: Apache-2.0
"""interest.py X.data STEPS EVENTS THREADS: the sequence half of the interest model (LSTM 128 over 64-wide item vectors, one hidden layer
of 128, softmax over all items, dropout, Adam) in PyTorch, on packed sequences; events a second. A step has about EVENTS events."""
import json
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

data, steps, events = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]))
users, items = (np.load(data / "train" / f"{name}.npy") for name in ("user", "item"))  # sorted by user and time
num_items = json.loads((data / "manifest.json").read_text())["num_items"]
starts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]])
sequences = [torch.from_numpy(part.astype(np.int64)[-51:]) for part in np.split(items, starts[1:]) if len(part) > 1]
per_step = max(1, round(events / np.mean([len(part) - 1 for part in sequences])))

torch.manual_seed(1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(num_items, 64)
        nn.init.normal_(self.items.weight, std=0.05)
        self.lstm = nn.LSTM(64, 128)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64))
        self.dropout = nn.Dropout(0.3)

    def forward(self, batch):
        packed = nn.utils.rnn.pack_sequence([part[:-1] for part in batch])
        targets = nn.utils.rnn.pack_sequence([part[1:] for part in batch]).data
        inputs = packed._replace(data=self.dropout(self.items(packed.data)))
        output = self.lstm(inputs)[0].data
        return nn.functional.cross_entropy(self.head(output) @ self.items.weight.T, targets), len(targets)


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
generator = np.random.default_rng(1)


def step():
    chosen = [sequences[k] for k in generator.choice(len(sequences), per_step, replace=False)]
    chosen.sort(key=len, reverse=True)
    loss, count = model(chosen)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return count


for _ in range(3):
    step()
start = time.perf_counter()
done = sum(step() for _ in range(steps))
print(json.dumps({"events_per_s": done / (time.perf_counter() - start), "events_per_step": done / steps,
                  "versions": {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}}))
