// SPDX-License-Identifier: Apache-2.0
// From final node embeddings and a batch of node ids to the mean loss and dLoss/dFinal. Equations
// of the losses: kernels/backend.h. With normalize, u = f_u / |f_u|: scores are cosines (as in
// SimpleX and in the sampled-softmax paper); otherwise inner products.
#pragma once

#include "kernels/backend.h"
#include "models/model_options.h"

namespace penchant::models {

/// Node ids of one batch on the backend's device. negatives: M shared ones for sampled softmax, one
/// per row for BPR.
struct Batch {
  kernels::IdView users;      ///< [B]
  kernels::IdView positives;  ///< [B]
  kernels::IdView negatives;  ///< [M] or [B]
  kernels::VectorView<const float>
      positive_bias;  ///< [B] added to the scores (sampled softmax); empty: 0
  kernels::VectorView<const float> negative_bias;  ///< [M]
};

class RankingLoss {
 public:
  explicit RankingLoss(const ModelOptions& options) : options_(options) {}
  /// Adds dLoss/dFinal to d_final [N x D]; losses [B] of the rows are overwritten.
  void add_gradients(kernels::Backend& backend, kernels::ConstFloatView final, const Batch& batch,
                     kernels::FloatView d_final, kernels::VectorView<float> losses);

 private:
  /// Gathered rows of one role, their unit form and the gradients of both.
  struct Rows {
    kernels::FloatMatrix value, gradient;  ///< [B x D]
    kernels::Vector<float> inverse_norms;  ///< [B]
  };
  kernels::FloatView gather(kernels::Backend& backend, kernels::ConstFloatView final,
                            kernels::IdView ids, Rows& rows) const;
  void scatter(kernels::Backend& backend, kernels::IdView ids, Rows& rows,
               kernels::FloatView d_final) const;

  ModelOptions options_;
  Rows users_, positives_, negatives_;
};

}  // namespace penchant::models
