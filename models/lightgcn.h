// SPDX-License-Identifier: Apache-2.0
// LightGCN (He et al., SIGIR 2020, eqs. 3 to 8): E^(l+1) = A E^(l), final = (w E^(0) + sum_l E^(l))
// / (L + w), l = 1 .. L. The paper has w = 1. Our default is w = 0: a node is known by its
// neighbourhood alone, which generalises better (docs/decisions/0006-layer-weights.md). L = 0 is
// matrix factorisation, whatever w. A is symmetric, so dLoss/dE^(0) = (w I + sum_l A^l) dFinal / (L
// + w): the same propagation applied to the gradient.
#pragma once

#include "models/encoder.h"

namespace penchant::models {

/// Which rows LayerMean must look at; empty sets: all.
struct LayerRows {
  kernels::RowSet wanted = {};   ///< of total; the others hold some finite numbers
  kernels::RowSet nonzero = {};  ///< of x; the others are zero
};

/// total = (w x + sum_l A^l x) / (L + w), l = 1 .. L, with at most two tables of its own.
class LayerMean {
 public:
  enum class Output : bool { overwrite, add };
  LayerMean(std::int64_t num_layers, float own_share, std::int64_t embedding_dim,
            const kernels::SparseMatrix& adjacency, kernels::Backend& backend);
  /// x, total [N x D], not the same.
  void apply(kernels::Backend& backend, kernels::ConstFloatView x, kernels::FloatView total,
             Output output = Output::overwrite, const LayerRows& rows = {});

 private:
  std::int64_t num_layers_;
  float own_share_;  ///< w
  const kernels::SparseMatrix& adjacency_;
  kernels::FloatMatrix layer_[2];  ///< of odd and of even layers before the last [N x D]
};

class LightGcn final : public Encoder {
 public:
  LightGcn(std::int64_t num_layers, float own_share, std::int64_t embedding_dim,
           const kernels::SparseMatrix& adjacency, kernels::Backend& backend);
  using Encoder::backward, Encoder::forward;
  kernels::ConstFloatView forward(kernels::Backend& backend, kernels::RowSet wanted) override;
  void backward(kernels::Backend& backend, kernels::ConstFloatView d_final, kernels::RowSet nonzero,
                Gradients gradients) override;
  void visit_parameters(const ParameterVisitor& visit) override { visit(embeddings_); }

 private:
  LayerMean mean_;
  Parameter embeddings_;        ///< E^(0) [N x D]
  kernels::FloatMatrix final_;  ///< [N x D]
};

}  // namespace penchant::models
