# SPDX-License-Identifier: Apache-2.0
"""gnn.py FOLDER WIDTH THREADS: LightGCN's forward (three layers) and one GCN layer on the matrix in FOLDER, by PyTorch, PyG and DGL."""
import json
import sys
import warnings

import numpy as np
import torch

from timing import Peers, load_csr

warnings.filterwarnings("ignore")
folder, width, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
offsets, columns, values = load_csr(folder)
size = len(offsets) - 1
generator = torch.Generator().manual_seed(1)
table = torch.randn(size, width, generator=generator)
weight = torch.randn(width, width, generator=generator)
tensor = torch.sparse_csr_tensor(torch.from_numpy(offsets.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values),
                                 (size, size))


def torch_lightgcn():
    def forward():
        layer = total = table
        for _ in range(3):
            layer = tensor @ layer
            total = total + layer
        return total / 4
    return forward


def wide_tensor():
    return torch.sparse_csr_tensor(torch.from_numpy(offsets), torch.from_numpy(columns.astype(np.int64)), torch.from_numpy(values),
                                   (size, size))


def edges():
    rows = np.repeat(np.arange(size, dtype=np.int64), np.diff(offsets))
    return torch.from_numpy(np.stack([columns.astype(np.int64), rows]))


def pyg_lightgcn():
    from torch_geometric.nn import LightGCN
    model = LightGCN(size, width, num_layers=3)
    for convolution in model.convs:
        convolution.normalize = False  # the values are normalised already
    with torch.no_grad():
        model.embedding.weight.copy_(table)
    index, edge_weight = edges(), torch.from_numpy(values)
    expected = torch_lightgcn()()
    got = model.get_embedding(index, edge_weight)
    if not float((got - expected).abs().max()) < 1e-3:
        raise ValueError("differs from PyTorch")
    return lambda: model.get_embedding(index, edge_weight)


def torch_gcn():
    return lambda: torch.nn.functional.leaky_relu(tensor @ table @ weight, 0.2)


def pyg_gcn():
    from torch_geometric.nn import GCNConv
    layer = GCNConv(width, width, normalize=False)
    index, edge_weight = edges(), torch.from_numpy(values)
    return lambda: torch.nn.functional.leaky_relu(layer(table, index, edge_weight), 0.2)


def dgl_gcn():
    import dgl
    graph = dgl.graph(("csc", (torch.from_numpy(offsets), torch.from_numpy(columns.astype(np.int64)), [])), num_nodes=size)
    layer = dgl.nn.GraphConv(width, width, norm="none")
    edge_weight = torch.from_numpy(values)
    return lambda: torch.nn.functional.leaky_relu(layer(graph, table, edge_weight=edge_weight), 0.2)


with torch.no_grad():
    forward, layer = Peers(), Peers()
    forward.run("torch_csr", ["torch"], torch_lightgcn)
    forward.run("pyg", ["torch-geometric"], pyg_lightgcn)
    layer.run("torch_csr", ["torch"], torch_gcn)
    layer.run("pyg", ["torch-geometric"], pyg_gcn)
    layer.run("dgl", ["dgl"], dgl_gcn)
print(json.dumps({"lightgcn_forward": forward.result(), "gcn_layer": layer.result()}))
