# SPDX-License-Identifier: Apache-2.0
"""spmm.py FOLDER WIDTHS THREADS [PEERS]: the product of the CSR matrix in FOLDER with a dense table of each width, by PyTorch, SciPy, MKL,
SuiteSparse GraphBLAS, PyG and DGL, or those that PEERS names, on so many threads. A peer whose result differs from SciPy's is not timed."""
import ctypes
import glob
import json
import os
import sys
import warnings

folder, widths, threads = sys.argv[1], [int(word) for word in sys.argv[2].split(",")], int(sys.argv[3])
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(threads)

import numpy as np
import scipy.sparse as sp

from timing import Peers, load_csr

warnings.filterwarnings("ignore")

offsets, columns, values = load_csr(folder)
size = len(offsets) - 1
matrix = sp.csr_matrix((values, columns, offsets.astype(np.int32)), shape=(size, size))


def checked(function, table):
    """The function, once its result is SciPy's."""
    got = np.asarray(function())
    difference = float(np.abs(got - matrix @ table).max())
    if not difference < 1e-3:
        raise ValueError(f"differs from SciPy by {difference}")
    return function


def torch_csr(table):
    import torch
    torch.set_num_threads(threads)
    tensor = torch.sparse_csr_tensor(torch.from_numpy(offsets.astype(np.int32)), torch.from_numpy(columns),
                                     torch.from_numpy(values), (size, size))
    dense = torch.from_numpy(table)
    return checked(lambda: tensor @ dense, table)


def pyg(table):
    import torch
    from torch_geometric.utils import spmm
    torch.set_num_threads(threads)
    tensor = torch.sparse_csr_tensor(torch.from_numpy(offsets), torch.from_numpy(columns.astype(np.int64)),
                                     torch.from_numpy(values), (size, size))
    dense = torch.from_numpy(table)
    return checked(lambda: spmm(tensor, dense, reduce="sum"), table)


def dgl(table):
    import dgl as library
    import torch
    torch.set_num_threads(threads)
    graph = library.graph(("csc", (torch.from_numpy(offsets), torch.from_numpy(columns.astype(np.int64)), [])), num_nodes=size)
    dense, weight = torch.from_numpy(table), torch.from_numpy(values)
    return checked(lambda: library.ops.u_mul_e_sum(graph, dense, weight), table)


def mkl_inspector(table):
    """MKL's inspector-executor routines: analysed once for this width, then timed alone."""
    root = os.path.join(sys.prefix, "lib")
    path = sorted(glob.glob(os.path.join(root, "libmkl_rt.so*")))
    if not path:
        raise ImportError("no libmkl_rt.so in this environment (pip install mkl)")
    library = ctypes.CDLL(path[0], mode=ctypes.RTLD_GLOBAL)
    library.MKL_Set_Num_Threads(threads)
    library.MKL_Set_Threading_Layer(3)  # GNU OpenMP

    class Description(ctypes.Structure):
        _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int)]

    def check(status):
        if status != 0:
            raise RuntimeError(f"MKL returned status {status}")

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    general = Description(20, 0, 0)
    starts = offsets.astype(np.int32)
    handle = ctypes.c_void_p()
    check(library.mkl_sparse_s_create_csr(ctypes.byref(handle), 0, size, size, pointer(starts[:-1]), pointer(starts[1:]),
                                          pointer(columns), pointer(values)))
    width = table.shape[1]
    check(library.mkl_sparse_set_mm_hint(handle, 10, general, 101, width, 1000))
    check(library.mkl_sparse_optimize(handle))
    result = np.zeros_like(table)

    def product():
        check(library.mkl_sparse_s_mm(10, ctypes.c_float(1.0), handle, general, 101, pointer(table), width, width,
                                      ctypes.c_float(0.0), pointer(result), width))
        return result
    product.alive = (starts, handle)
    return checked(product, table)


def graphblas(table):
    import graphblas as gb
    gb.ss.config["nthreads"] = threads
    left = gb.io.from_scipy_sparse(matrix)
    right = gb.Matrix.ss.import_fullr(values=table.copy())
    def product():
        answer = gb.Matrix("FP32", size, table.shape[1])
        answer << left.mxm(right, gb.semiring.plus_times)
        answer.wait()
        return answer
    if not np.abs(product().to_dense(fill_value=0) - matrix @ table).max() < 1e-3:
        raise ValueError("differs from SciPy")
    return product


report = {}
for width in widths:
    table = np.random.default_rng(1).standard_normal((size, width), dtype=np.float32)
    peers = Peers(sys.argv[4].split(",") if len(sys.argv) > 4 else ())
    peers.run("scipy", ["scipy"], lambda: lambda: matrix @ table)
    peers.run("torch_csr", ["torch"], lambda: torch_csr(table))
    peers.run("mkl", ["mkl"], lambda: mkl_inspector(table))
    peers.run("graphblas", ["suitesparse-graphblas", "python-graphblas"], lambda: graphblas(table))
    peers.run("pyg", ["torch-geometric"], lambda: pyg(table))
    peers.run("dgl", ["dgl"], lambda: dgl(table))
    report[width] = peers.result()
print(json.dumps(report))
