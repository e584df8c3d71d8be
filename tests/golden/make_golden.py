#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference numbers for the golden tests: PyTorch in float64, dense, by autograd.

    python tests/golden/make_golden.py models > tests/golden/models.json        (tests/models/golden_test.cc)
    python tests/golden/make_golden.py sequences > tests/golden/sequences.json  (tests/kernels/golden_test.cc)

Nothing here comes from Penchant's code: the models are written down from the papers, the layers are
torch.nn's, gradients are autograd's, the optimiser is torch.optim.Adam. Inputs are multiples of 1/64,
exact in float32.
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


def recurrent_case(cell, activation, lengths, inputs, hidden, seed):
    """A layer of torch.nn over a packed batch; weights as Penchant has them, [F x G] and [H x G]."""
    numbers = random.Random(seed)
    sizes = [sum(length > t for length in lengths) for t in range(lengths[0])]
    rows, gates = sum(sizes), (4 if cell == "lstm" else 1) * hidden
    shapes = {"x": (rows, inputs), "d_h": (rows, hidden), "input": (inputs, gates), "hidden": (hidden, gates)}
    case = {"cell": cell, "activation": activation, "lengths": lengths}
    case |= {name: table(numbers, *shape) for name, shape in shapes.items()} | {"bias": table(numbers, 1, gates)}
    if cell == "lstm":
        layer = torch.nn.LSTM(inputs, hidden, dtype=torch.float64)
    else:
        layer = torch.nn.RNN(inputs, hidden, nonlinearity=activation, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(double(case["input"]).T)
        layer.weight_hh_l0.copy_(double(case["hidden"]).T)
        layer.bias_ih_l0.copy_(double(case["bias"])[0])
        layer.bias_hh_l0.zero_()
    x = double(case["x"], requires_grad=True)
    h = layer(torch.nn.utils.rnn.PackedSequence(x, torch.tensor(sizes)))[0].data
    h.backward(double(case["d_h"]))
    case |= {"h": short(h), "d_x": short(x.grad), "d_input": short(layer.weight_ih_l0.grad.T)}
    return case | {"d_hidden": short(layer.weight_hh_l0.grad.T), "d_bias": short(layer.bias_ih_l0.grad[None])}


def convolution_case(lengths, width, inputs, outputs, seed):
    """torch's conv1d on every sequence behind width - 1 zeros; its taps run the other way."""
    numbers = random.Random(seed)
    rows = sum(lengths)
    case = {"lengths": lengths, "width": width, "x": table(numbers, rows, inputs)}
    case |= {"weight": table(numbers, width * inputs, outputs), "bias": table(numbers, 1, outputs)}
    case["d_y"] = table(numbers, rows, outputs)
    x, weight, bias = (double(case[name], requires_grad=True) for name in ("x", "weight", "bias"))
    filters = weight.view(width, inputs, outputs).permute(2, 1, 0).flip(2)
    y = torch.cat([F.conv1d(F.pad(part.T, (width - 1, 0)), filters, bias[0]).T for part in x.split(lengths)])
    y.backward(double(case["d_y"]))
    return case | {"y": short(y), "d_x": short(x.grad), "d_weight": short(weight.grad), "d_bias": short(bias.grad)}


def layer_norm_case(rows, width, seed):
    numbers = random.Random(seed)
    case = {"x": table(numbers, rows, width), "d_y": table(numbers, rows, width)}
    case |= {"gain": table(numbers, 1, width), "bias": table(numbers, 1, width)}
    x, gain, bias = (double(case[name], requires_grad=True) for name in ("x", "gain", "bias"))
    y = F.layer_norm(x, (width,), gain[0], bias[0], 1e-5)
    y.backward(double(case["d_y"]))
    return case | {"y": short(y), "d_x": short(x.grad), "d_gain": short(gain.grad), "d_bias": short(bias.grad)}


def sequences():
    return {
        "recurrent": [
            recurrent_case("lstm", "tanh", [5, 3, 3, 1], 3, 4, 1),
            recurrent_case("lstm", "tanh", [6], 2, 3, 2),
            recurrent_case("rnn", "tanh", [4, 4, 2], 3, 5, 3),
            recurrent_case("rnn", "relu", [4, 2, 1], 2, 3, 4),
        ],
        "convolution": [convolution_case([4, 1, 3], 3, 2, 3, 5), convolution_case([2, 5], 2, 3, 2, 6)],
        "layer_norm": [layer_norm_case(3, 5, 7)],
    }


def models():
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
    cases = [fill(common | dict(zip(names, choice)) | choice[-1], seed) for seed, choice in enumerate(choices)]
    return {"cases": cases}


def main():
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    result = {"generator": f"tests/golden/make_golden.py, {versions}"}
    result |= {"models": models, "sequences": sequences}[sys.argv[1]]()
    json.dump(result, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
