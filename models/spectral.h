// SPDX-License-Identifier: Apache-2.0
// The smoothest signals of a graph, by iteration on blocks of vectors: an orthonormal basis of
// their space as initial embeddings, and the leading singular vectors of a rectangular matrix.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/random.h"
#include "kernels/backend.h"

namespace penchant::models {

/// Replaces x [N x D] by scale * V Q: V [N x D] orthonormal columns that span, nearly, the D
/// eigenvectors of `adjacency` with the largest eigenvalues; Q a random rotation, so that no column
/// is special to Adam. x holds the start of the iteration and must have full column rank up to N;
/// if N < D or the start is deficient, x keeps its values.
///
/// Block power iteration on A + I (Golub and Van Loan, "Matrix computations", section 8.2.4; the
/// shift puts the eigenvalues -1 of a bipartite graph last), orthonormalised through the Gram
/// matrix (Stathopoulos and Wu 2002). `adjacency` is symmetric with eigenvalues in [-1, 1]
/// (graph/normalize.h).
void initialize_spectral(const kernels::SparseMatrix& adjacency, float scale, graph::Seed seed,
                         kernels::Backend& backend, kernels::FloatView x);

/// x_ij <- x_ij * scale_j; x [N x D], scale [D] in host memory.
void scale_columns(kernels::FloatView x, const std::vector<float>& scale,
                   kernels::Backend& backend);

/// Factors of a matrix [M x N].
struct Factors {
  kernels::FloatMatrix left;   ///< [M x R]
  kernels::FloatMatrix right;  ///< [N x R]
};

/// The factors of the best approximation of rank W to x y', for x [M x D] and y [N x D]: its leading
/// singular vectors, largest first, both sides times the root of the singular value. Fewer columns
/// than W where the singular values behind them are rounding. From the eigenvectors of two D x D
/// matrices, x'x = A E A' and (x'x)^1/2 y'y (x'x)^1/2 = B S^2 B' with S the singular values:
/// left = x (x'x)^-1/2 B S^1/2, right = y (x'x)^1/2 B S^-1/2.
Factors leading_factors(kernels::ConstFloatView x, kernels::ConstFloatView y, std::int64_t width,
                        kernels::Backend& backend);

/// Leading right singular vectors of a matrix [M x N].
struct SingularVectors {
  kernels::FloatMatrix vectors;  ///< [N x R], orthonormal columns, largest singular value first
  std::vector<float> squared;    ///< [R] squares of the singular values
  kernels::ConstFloatView lent = {};  ///< instead of `vectors`, where `lender` has them
  std::shared_ptr<const void> lender = {};

  kernels::ConstFloatView view() const { return lender != nullptr ? lent : vectors.view(); }
};

/// The `rank` leading right singular vectors of `matrix`, whose singular values lie in [0, 1];
/// fewer if it has fewer whose squares are above a thousandth of the largest one's. Randomised
/// subspace iteration (Halko, Martinsson and Tropp 2011) with an eighth more vectors than asked
/// for, accelerated by Chebyshev polynomials that stay small below the smallest of the block (Zhou
/// and Saad 2007), and a Rayleigh-Ritz step. Vectors whose singular values lie close to that of the
/// last are found approximately.
SingularVectors leading_singular_vectors(const kernels::SparseMatrix& matrix,
                                         const kernels::SparseMatrix& transposed, std::int64_t rank,
                                         graph::Seed seed, kernels::Backend& backend);

}  // namespace penchant::models
