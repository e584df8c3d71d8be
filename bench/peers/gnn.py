# SPDX-License-Identifier: Apache-2.0
"""gnn.py FOLDER WIDTH THREADS WORKLOAD: lightgcn_forward (three layers) or gcn_layer on the matrix in FOLDER, by PyTorch, PyG and DGL.

PyG takes a graph as a list of edges, which is how its examples give it, or as a sparse tensor, which spares it the messages."""
import functools
import json
import sys
import warnings

import numpy as np
import torch

from timing import Peers, load_csr

warnings.filterwarnings("ignore")
folder, width, threads, workload = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(threads)
offsets, columns, values = load_csr(folder)
size = len(offsets) - 1
generator = torch.Generator().manual_seed(1)
table = torch.randn(size, width, generator=generator)
weight = torch.randn(width, width, generator=generator)
tensor = torch.sparse_csr_tensor(torch.from_numpy(offsets.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values),
                                 (size, size))


def checked(function, reference):
    """`function`, once its result has been compared with PyTorch's."""
    expected = reference()
    worst = float((function() - expected).abs().max() / expected.abs().max())
    if not worst < 1e-4:
        raise ValueError(f"differs from PyTorch by {worst:.1e} of the largest number")
    return function


def torch_lightgcn():
    def forward():
        layer = total = table
        for _ in range(3):
            layer = tensor @ layer
            total = total + layer
        return total / 4
    return forward


def edges():
    rows = np.repeat(np.arange(size, dtype=np.int64), np.diff(offsets))
    return torch.from_numpy(np.stack([columns.astype(np.int64), rows]))


def pyg_graph(sparse):
    """What PyG's layers take: the matrix itself, or (2, E) ends and (E) weights."""
    return (tensor, None) if sparse else (edges(), torch.from_numpy(values))


def pyg_lightgcn(sparse):
    from torch_geometric.nn import LightGCN
    model = LightGCN(size, width, num_layers=3)
    for convolution in model.convs:
        convolution.normalize = False  # the values are normalised already
    with torch.no_grad():
        model.embedding.weight.copy_(table)
    return checked(functools.partial(model.get_embedding, *pyg_graph(sparse)), torch_lightgcn())


def torch_gcn():
    return lambda: torch.nn.functional.leaky_relu(tensor @ table @ weight, 0.2)


def pyg_gcn(sparse):
    from torch_geometric.nn import GCNConv
    layer = GCNConv(width, width, bias=False, normalize=False)
    layer.lin.weight.copy_(weight.T)
    graph, edge_weight = pyg_graph(sparse)
    return checked(lambda: torch.nn.functional.leaky_relu(layer(table, graph, edge_weight), 0.2), torch_gcn())


def dgl_gcn():
    import dgl
    graph = dgl.graph(("csc", (torch.from_numpy(offsets), torch.from_numpy(columns.astype(np.int64)), [])), num_nodes=size)
    layer = dgl.nn.GraphConv(width, width, norm="none", bias=False, allow_zero_in_degree=True)
    layer.weight.copy_(weight)
    edge_weight = torch.from_numpy(values)
    return checked(lambda: torch.nn.functional.leaky_relu(layer(graph, table, edge_weight=edge_weight), 0.2), torch_gcn())


with torch.no_grad():
    peers = Peers()
    if workload == "lightgcn_forward":
        peers.run("torch_csr", ["torch"], torch_lightgcn)
        peers.run("pyg_edges", ["torch-geometric"], lambda: pyg_lightgcn(sparse=False))
        peers.run("pyg_sparse", ["torch-geometric"], lambda: pyg_lightgcn(sparse=True))
    else:
        peers.run("torch_csr", ["torch"], torch_gcn)
        peers.run("pyg_edges", ["torch-geometric"], lambda: pyg_gcn(sparse=False))
        peers.run("pyg_sparse", ["torch-geometric"], lambda: pyg_gcn(sparse=True))
        peers.run("dgl", ["dgl"], dgl_gcn)
print(json.dumps(peers.result()))
