// SPDX-License-Identifier: Apache-2.0
// Two graph convolutions with learned layers over node embeddings H^(0) = E.
//
// GcnLayer (Kipf and Welling, ICLR 2017, eq. 2):  H' = act(A H W + b)
//   with P = A H, Z = P W + b:  dZ = dH' * act'(Z), dW += P' dZ, db += sum_i dZ_i, dH = A (dZ W')
// NodeWeightedLayer (the plain form with one learned weight a node):  h'_i = act(sum_j alpha_j A_ij
// h_j + b)
//   with S = diag(alpha) H, Z = A S + b:  dZ as above, db += sum_i dZ_i, dS = A dZ, d_alpha_j +=
//   <dS_j, h_j>, dH = diag(alpha) dS
// A is symmetric in both. The last layer of a stack has the identity as activation, so that scores
// of either sign can be learned (a deviation from the papers, whose last layer is followed by a
// softmax).
#pragma once

#include <vector>

#include "models/encoder.h"

namespace penchant::models {

struct GcnLayer {
  Parameter weight;  ///< W [D x D]
  Parameter bias;    ///< b [1 x D]
  kernels::Activation activation;

  struct Cache {
    kernels::FloatMatrix propagated;    ///< P [N x D]
    kernels::FloatMatrix output;        ///< H' [N x D]
    kernels::FloatMatrix d_linear;      ///< dZ [N x D], backward only
    kernels::FloatMatrix d_propagated;  ///< dZ W' [N x D], backward only
  };
  Cache make_cache(std::int64_t num_nodes, kernels::Backend& backend) const;
  /// Rows of the output that are not in `wanted` hold some finite numbers.
  void forward(kernels::Backend& backend, const kernels::SparseMatrix& adjacency,
               kernels::ConstFloatView in, Cache& cache, kernels::RowSet wanted = {}) const;
  /// d_in is overwritten; parameter gradients accumulate. Rows of d_out that are not in `nonzero`
  /// are zero.
  void backward(kernels::Backend& backend, const kernels::SparseMatrix& adjacency,
                kernels::ConstFloatView in, kernels::ConstFloatView d_out, Cache& cache,
                kernels::FloatView d_in, kernels::RowSet nonzero = {});
  void visit_parameters(const ParameterVisitor& visit) {
    visit(weight);
    visit(bias);
  }
};

struct NodeWeightedLayer {
  Parameter alpha;  ///< [1 x N]
  Parameter bias;   ///< b [1 x D]
  kernels::Activation activation;

  struct Cache {
    kernels::FloatMatrix scaled;    ///< S in forward, dS in backward [N x D]
    kernels::FloatMatrix output;    ///< H' [N x D]
    kernels::FloatMatrix d_linear;  ///< dZ [N x D], backward only
  };
  Cache make_cache(std::int64_t num_nodes, kernels::Backend& backend) const;
  void forward(kernels::Backend& backend, const kernels::SparseMatrix& adjacency,
               kernels::ConstFloatView in, Cache& cache, kernels::RowSet wanted = {}) const;
  void backward(kernels::Backend& backend, const kernels::SparseMatrix& adjacency,
                kernels::ConstFloatView in, kernels::ConstFloatView d_out, Cache& cache,
                kernels::FloatView d_in, kernels::RowSet nonzero = {});
  void visit_parameters(const ParameterVisitor& visit) {
    visit(alpha);
    visit(bias);
  }
};

/// Embeddings followed by L layers of one kind.
template <typename Layer>
class LayerStack final : public Encoder {
 public:
  LayerStack(std::vector<Layer> layers, std::int64_t embedding_dim,
             const kernels::SparseMatrix& adjacency, kernels::Backend& backend);
  using Encoder::backward, Encoder::forward;
  kernels::ConstFloatView forward(kernels::Backend& backend, kernels::RowSet wanted) override;
  void backward(kernels::Backend& backend, kernels::ConstFloatView d_final, kernels::RowSet nonzero,
                Gradients gradients) override;
  void visit_parameters(const ParameterVisitor& visit) override;

 private:
  const kernels::SparseMatrix& adjacency_;
  Parameter embeddings_;  ///< H^(0) [N x D]
  std::vector<Layer> layers_;
  std::vector<typename Layer::Cache> caches_;
  kernels::FloatMatrix d_hidden_[2];  ///< gradients between layers, in turn [N x D]
};

}  // namespace penchant::models
