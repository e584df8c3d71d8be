// SPDX-License-Identifier: Apache-2.0
// Initial embeddings from the graph itself: an orthonormal basis of the space of its smoothest
// signals.
#pragma once

#include "graph/random.h"
#include "kernels/backend.h"

namespace penchant::models {

/// Replaces x [N x D] by scale * V Q: V [N x D] orthonormal columns that span, nearly, the D
/// eigenvectors of `adjacency` with the largest eigenvalues; Q a random rotation, so that no column
/// is special to Adam. x holds the start of the iteration and must have full column rank up to N;
/// if N < D or the start is deficient, x keeps its values.
///
/// Block power iteration on A + I (Golub and Van Loan, "Matrix computations", section 8.2.4; the
/// shift puts the eigenvalues -1 of a bipartite graph last), orthonormalised by Cholesky of the
/// Gram matrix in double (Yamamoto et al. 2015). `adjacency` is symmetric with eigenvalues in [-1,
/// 1] (graph/normalize.h).
void initialize_spectral(const kernels::SparseMatrix& adjacency, float scale, graph::Seed seed,
                         kernels::Backend& backend, kernels::FloatView x);

}  // namespace penchant::models
