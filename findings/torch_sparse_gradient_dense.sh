#!/usr/bin/env bash
# PyTorch 2.15.0: the gradient of `csr @ dense` with respect to the sparse matrix is a dense N x N tensor with values where the matrix stores
# nothing; that of torch.sparse.mm(csr, dense), the same product, is sparse with the matrix' own pattern.
# Expected: the same gradient. Seen: strided against sparse_csr. With 100,000 nodes and learned edge weights the first is 40 GB.
# Penchant's explicit gradients never leave the pattern.
source "$(dirname "$0")/common.sh"
environment torch==2.15.0 numpy==2.2.6
python -W ignore - <<'CODE'
import torch
def gradient(product):
    matrix = torch.eye(4).to_sparse_csr().requires_grad_()
    product(matrix, torch.ones(4, 2)).sum().backward()
    return matrix.grad
by_operator = gradient(lambda matrix, dense: matrix @ dense)
by_function = gradient(torch.sparse.mm)
print("csr @ dense:", by_operator.layout, int((by_operator.to_dense() != 0).sum()), "values; torch.sparse.mm:", by_function.layout,
      by_function.values().numel(), "values")
assert by_operator.layout == torch.strided and by_function.layout == torch.sparse_csr, "the gradients are alike"
CODE
