// SPDX-License-Identifier: Apache-2.0
#include "models/ranking_loss.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::IdView;

FloatView RankingLoss::gather(Backend& backend, ConstFloatView final, IdView ids,
                              Rows& rows) const {
  if (rows.value.rows() < ids.size || rows.value.cols() != final.cols) {
    rows = {backend.matrix<float>(ids.size, final.cols),
            backend.matrix<float>(ids.size, final.cols), backend.vector<float>(ids.size)};
  }
  const FloatView value = rows.value.view().rows_of(0, ids.size);
  backend.gather_rows(final, ids, value);
  if (options_.normalize)
    backend.normalize_rows(value, value, rows.inverse_norms.view().sub(0, ids.size));
  return value;
}

void RankingLoss::scatter(Backend& backend, IdView ids, Rows& rows, FloatView d_final) const {
  const FloatView gradient = rows.gradient.view().rows_of(0, ids.size);
  if (options_.normalize) {
    backend.normalize_rows_backward(rows.value.view().rows_of(0, ids.size),
                                    rows.inverse_norms.view().sub(0, ids.size), gradient, gradient);
  }
  backend.scatter_add_rows(1.0F, gradient, ids, d_final);
}

void RankingLoss::add_gradients(Backend& backend, ConstFloatView final, const Batch& batch,
                                FloatView d_final, kernels::VectorView<float> losses) {
  const std::int64_t size = batch.users.size;
  const FloatView users = gather(backend, final, batch.users, users_);
  const FloatView positives = gather(backend, final, batch.positives, positives_);
  const FloatView negatives = gather(backend, final, batch.negatives, negatives_);
  const FloatView d_users = users_.gradient.view().rows_of(0, size);
  const FloatView d_positives = positives_.gradient.view().rows_of(0, size);
  const FloatView d_negatives = negatives_.gradient.view().rows_of(0, batch.negatives.size);
  if (options_.loss == LossKind::bpr) {
    backend.bpr(users, positives, negatives, losses, d_users, d_positives, d_negatives);
  } else {
    kernels::SampledSoftmaxOptions softmax;
    softmax.temperature = options_.temperature;
    softmax.positive_ids = batch.positives;
    softmax.negative_ids = batch.negatives;
    softmax.positive_bias = batch.positive_bias;
    softmax.negative_bias = batch.negative_bias;
    backend.sampled_softmax(users, positives, negatives, softmax, losses, d_users, d_positives,
                            d_negatives);
  }
  scatter(backend, batch.users, users_, d_final);
  scatter(backend, batch.positives, positives_, d_final);
  scatter(backend, batch.negatives, negatives_, d_final);
}

}  // namespace penchant::models
