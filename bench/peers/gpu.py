# SPDX-License-Identifier: Apache-2.0
"""gpu.py [--data FOLDER]: what bench/gpu_bench.cc measures, by PyTorch and PyG on the same GPU; prints a line of JSON a result.

LightGCN: PyG's LGConv layers, BPR, batch 2048, d = 64, three layers, Adam; the fastest of three ways to give it the graph. Top-k: matrix product and torch.topk in blocks of
users. LSTM: torch.nn.LSTM (cuDNN) over packed sequences, forward and backward. Interest model: item vectors, LSTM, one hidden
layer, softmax over all items, dropout, Adam, one training step. A part whose package is missing is left out."""
import argparse
import json
import statistics
import sys
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--data")
arguments = parser.parse_args()
if not torch.cuda.is_available():
    sys.exit("gpu.py: no device")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.manual_seed(1)
device = torch.device("cuda")


def time_ms(call, rounds=11, seconds=0.01):
    """As gpu_bench: medians of rounds of calls back to back behind one wait."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    calls = max(1, min(1000, int(seconds / max(time.perf_counter() - start, 1e-6))))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls * 1e3)
    return {"median": statistics.median(times), "min": min(times), "max": max(times), "rounds": rounds, "calls": calls}


def interactions():
    if not arguments.data:
        users, items, events = 29858, 40981, 810128
        drawn = torch.rand(events)
        return users, items, torch.randint(users, (events,)), (items * drawn**4).long()
    user, item = [], []
    with open(f"{arguments.data}/gowalla/train.txt") as lines:
        for line in lines:
            first, *rest = map(int, line.split())
            user += [first] * len(rest)
            item += rest
    return max(user) + 1, max(item) + 1, torch.tensor(user), torch.tensor(item)


class SymmetricProduct(torch.autograd.Function):
    """adjacency @ x for a symmetric sparse matrix, whose backward is the same product."""

    @staticmethod
    def forward(context, adjacency, x):
        context.adjacency = adjacency
        return adjacency @ x

    @staticmethod
    def backward(context, d_y):
        return None, context.adjacency @ d_y


def lightgcn(batch=2048):
    try:
        from torch_geometric import __version__ as version
        from torch_geometric.nn import LGConv
        from torch_geometric.nn.conv.gcn_conv import gcn_norm
    except ImportError:
        return None
    num_users, num_items, user, item = (value.to(device) if torch.is_tensor(value) else value for value in interactions())
    nodes = num_users + num_items
    edges = torch.stack([torch.cat([user, num_users + item]), torch.cat([num_users + item, user])])
    _, weights = gcn_norm(edges, None, nodes, add_self_loops=False)
    adjacency = torch.sparse_coo_tensor(edges, weights, (nodes, nodes)).coalesce().to_sparse_csr()
    # Half the bytes of ids that the conversion makes, as ours.
    adjacency = torch.sparse_csr_tensor(adjacency.crow_indices().int(), adjacency.col_indices().int(), adjacency.values(), (nodes, nodes))
    as_documented, normalized = LGConv().to(device), LGConv(normalize=False).to(device)
    ways = {"edge_index": lambda x: as_documented(x, edges), "edge_weights": lambda x: normalized(x, edges, weights),
            "csr": lambda x: SymmetricProduct.apply(adjacency, x)}

    def time_of(propagate):
        embeddings = torch.nn.Parameter(0.1 * torch.randn(nodes, 64, device=device))
        optimizer = torch.optim.Adam([embeddings], lr=1e-3, fused=True)

        def step():
            layer = total = embeddings
            for _ in range(3):
                layer = propagate(layer)
                total = total + layer
            final = total / 4
            rows = torch.randint(len(user), (batch,), device=device)
            users, positives = final[user[rows]], final[num_users + item[rows]]
            negatives = final[num_users + torch.randint(num_items, (batch,), device=device)]
            loss = torch.nn.functional.softplus(-(users * (positives - negatives)).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return time_ms(step)

    times = {name: time_of(propagate) for name, propagate in ways.items()}
    return {"batch": batch, "step": min(times.values(), key=lambda time: time["median"]), "ways": times,
            "torch_geometric": version}


def topk(users=50_000, items=90_000, block=4096):
    queries, table = torch.randn(users, 64, device=device), torch.randn(items, 64, device=device)

    def call():
        for first in range(0, users, block):
            torch.topk(queries[first:first + block] @ table.T, 20)

    return {"users": users, "items": items, "time": time_ms(call)}


def packed_sizes(batch, longest):
    lengths = [longest * batch // (batch + 8 * b) for b in range(batch)]
    return torch.tensor([sum(length > t for length in lengths) for t in range(longest)])


def lstm(batch=256, longest=50):
    from torch.nn.utils.rnn import PackedSequence
    sizes = packed_sizes(batch, longest)
    rows = int(sizes.sum())
    layer = torch.nn.LSTM(64, 128).to(device)
    x = torch.randn(rows, 64, device=device, requires_grad=True)
    d_h = torch.randn(rows, 128, device=device)

    def call():
        x.grad = None
        layer.zero_grad()
        layer(PackedSequence(x, sizes))[0].data.backward(d_h)

    return {"rows": rows, "time": time_ms(call)}


def interest(batch=256, longest=50, num_items=12101):
    from torch import nn
    from torch.nn.utils.rnn import PackedSequence
    sizes = packed_sizes(batch, longest)
    rows = int(sizes.sum())
    items = nn.Embedding(num_items, 64).to(device)
    nn.init.normal_(items.weight, std=0.05)
    encoder = nn.LSTM(64, 128).to(device)
    head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64)).to(device)
    dropout = nn.Dropout(0.3)
    parameters = [*items.parameters(), *encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.002, fused=True)
    ids, targets = (torch.randint(num_items, (rows,), device=device) for _ in range(2))

    def call():
        output = encoder(PackedSequence(dropout(items(ids)), sizes))[0].data
        loss = nn.functional.cross_entropy(head(output) @ items.weight.T, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return {"rows": rows, "items": num_items, "time": time_ms(call)}


# A line a result, at once: what a time limit cuts off is only what was not yet measured.
print(json.dumps({"part": "device", "device": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
for part in (topk, lstm, interest, lightgcn):
    result = part()
    if result is not None:
        print(json.dumps({"part": part.__name__, **result}), flush=True)
