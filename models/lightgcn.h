// SPDX-License-Identifier: Apache-2.0
// LightGCN (He et al., SIGIR 2020, eqs. 3 to 8): E^(l+1) = A E^(l), final = sum_l E^(l) / (L + 1), l = 0 .. L.
// A is symmetric, so dLoss/dE^(0) = sum_l A^l dFinal / (L + 1): the same propagation applied to the gradient.
#pragma once

#include "models/encoder.h"

namespace penchant::models {

class LightGcn final : public Encoder {
 public:
  LightGcn(std::int64_t num_layers, std::int64_t embedding_dim, const kernels::SparseMatrix& adjacency, kernels::Backend& backend);
  kernels::ConstFloatView forward(kernels::Backend& backend) override;
  void backward(kernels::Backend& backend, kernels::ConstFloatView d_final) override;
  void visit_parameters(const ParameterVisitor& visit) override { visit(embeddings_); }

 private:
  /// total = (1 / (L + 1)) sum_l A^l x, or added to what total holds.
  void propagate(kernels::Backend& backend, kernels::ConstFloatView x, kernels::FloatView total, bool accumulate);

  std::int64_t num_layers_;
  const kernels::SparseMatrix& adjacency_;
  Parameter embeddings_;           ///< E^(0) [N x D]
  kernels::FloatMatrix final_;     ///< [N x D]
  kernels::FloatMatrix layer_[2];  ///< E^(l) and E^(l+1) [N x D], in turn
};

}  // namespace penchant::models
