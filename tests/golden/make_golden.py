#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference numbers for tests/models/golden_test.cc: PyTorch in float64, dense, by autograd.

    python tests/golden/make_golden.py > tests/golden/models.json

Nothing here comes from Penchant's code: the models are written down from the papers, gradients are
autograd's, the optimiser is torch.optim.Adam. Inputs are multiples of 1/64, exact in float32.
"""

import json
import platform
import random
import sys

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
NUM_NODES, WIDTH, STEPS = 7, 3, 3
EDGES = [(0, 3), (0, 4), (1, 4), (1, 5), (2, 5), (2, 6), (2, 3), (4, 5), (6, 6)]


def double(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


def table(numbers, rows, cols):
    return [[numbers.randint(-64, 64) / 64 for _ in range(cols)] for _ in range(rows)]


def propagate(case, adjacency, p):
    hidden = p["embeddings"]
    layers = case["num_layers"]
    if case["kind"] == "lightgcn":
        own = case["own_share"]
        power = torch.linalg.matrix_power
        powers = [power(adjacency, layer) @ hidden for layer in range(layers + 1)]
        return (own * powers[0] + sum(powers[1:])) / (own + layers)
    for layer in range(layers):
        bias = p[f"layer{layer}.bias"]
        if case["kind"] == "gcn":
            hidden = adjacency @ hidden @ p[f"layer{layer}.weight"] + bias
        else:
            hidden = adjacency @ torch.diag(p[f"layer{layer}.alpha"][0]) @ hidden + bias
        if layer + 1 < layers:
            hidden = ACTIVATIONS[case["activation"]](hidden)
    return hidden


def mean_loss(case, final):
    rows = F.normalize(final, dim=1) if case["normalize"] else final
    users, positives, negatives = (rows[case[role]] for role in ("users", "positives", "negatives"))
    own = (users * positives).sum(1)
    if case["loss"] == "bpr":
        return -F.logsigmoid(own - (users * negatives).sum(1)).mean()
    others = users @ negatives.T / case["temperature"] + double(case["negative_bias"])
    hits = torch.tensor(case["positives"])[:, None] == torch.tensor(case["negatives"])[None, :]
    others = others.masked_fill(hits, float("-inf"))
    own = own / case["temperature"] + double(case["positive_bias"])
    logits = torch.cat([own[:, None], others], dim=1)
    return F.cross_entropy(logits, torch.zeros(len(own), dtype=torch.long))


def short(tensor):
    return [[float(f"{value:.12g}") for value in row] for row in tensor.detach().tolist()]


def fill(case, seed):
    numbers = random.Random(seed)
    case["adjacency"] = [[0.0] * NUM_NODES for _ in range(NUM_NODES)]
    for i, j in EDGES:
        case["adjacency"][i][j] = case["adjacency"][j][i] = numbers.randint(16, 40) / 64
    shapes = {"embeddings": (NUM_NODES, WIDTH)}
    for layer in range(case["num_layers"]):
        if case["kind"] == "gcn":
            shapes[f"layer{layer}.weight"] = (WIDTH, WIDTH)
        if case["kind"] == "node_weighted":
            shapes[f"layer{layer}.alpha"] = (1, NUM_NODES)
        if case["kind"] != "lightgcn":
            shapes[f"layer{layer}.bias"] = (1, WIDTH)
    case["parameters"] = {name: table(numbers, *shape) for name, shape in shapes.items()}
    case["users"], case["positives"] = [0, 1, 2, 0], [3, 4, 5, 4]
    case["negatives"] = [6, 6, 4, 5] if case["loss"] == "bpr" else [4, 6, 5]
    case["positive_bias"] = table(numbers, 1, 4)[0] if case["loss"] != "bpr" else []
    case["negative_bias"] = table(numbers, 1, 3)[0] if case["loss"] != "bpr" else []

    adjacency = double(case["adjacency"])
    p = {name: double(value, requires_grad=True) for name, value in case["parameters"].items()}
    optimizer = torch.optim.Adam(p.values(), lr=case["learning_rate"], weight_decay=case["l2"])
    case["losses"] = []
    for step in range(STEPS):
        optimizer.zero_grad()
        final = propagate(case, adjacency, p)
        loss = mean_loss(case, final)
        loss.backward()
        case["losses"].append(float(f"{loss.item():.12g}"))
        if step == 0:
            case["final"] = short(final)
            case["gradients"] = {name: short(value.grad) for name, value in p.items()}
        optimizer.step()
    case["trained"] = {name: short(value) for name, value in p.items()}
    return case


def main():
    common = {"learning_rate": 1 / 64, "l2": 0.125, "temperature": 0.25, "own_share": 1.0}
    choices = [
        ("lightgcn", "bpr", False, 2, "tanh", {}),
        ("lightgcn", "sampled_softmax", True, 3, "tanh", {"own_share": 0.0}),
        ("gcn", "sampled_softmax", True, 2, "leaky_relu", {}),
        ("gcn", "bpr", True, 3, "relu", {}),
        ("node_weighted", "bpr", False, 2, "sigmoid", {}),
        ("node_weighted", "sampled_softmax", True, 2, "tanh", {}),
    ]
    names = ("kind", "loss", "normalize", "num_layers", "activation")
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    result = {
        "generator": f"tests/golden/make_golden.py, {versions}",
        "cases": [
            fill(common | dict(zip(names, choice)) | choice[-1], seed)
            for seed, choice in enumerate(choices)
        ],
    }
    json.dump(result, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
