// SPDX-License-Identifier: Apache-2.0
// A small graph with a batch on it, and the way of parameters between host and backend.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/encoder.h"
#include "models/loss_log.h"
#include "models/ranking_loss.h"
#include "tests/oracle/model.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::models {

inline support::Dense download(kernels::Backend& backend, kernels::ConstFloatView from) {
  const support::Guarded<float> host(backend, from.rows, from.cols);
  backend.copy(from, host.view());
  return host.dense();
}

inline void upload(kernels::Backend& backend, const support::Dense& values, kernels::FloatView to) {
  const support::Guarded<float> host(backend, values);
  backend.copy(kernels::ConstFloatView(host.view()), to);
}

inline oracle::Parameters values_of(kernels::Backend& backend, Encoder& encoder) {
  oracle::Parameters result;
  encoder.visit_parameters(
      [&](Parameter& p) { result[p.name] = download(backend, p.value.view()); });
  return result;
}

inline oracle::Parameters gradients_of(kernels::Backend& backend, Encoder& encoder) {
  oracle::Parameters result;
  encoder.visit_parameters(
      [&](Parameter& p) { result[p.name] = download(backend, p.gradient.view()); });
  return result;
}

inline void set_parameters(kernels::Backend& backend, Encoder& encoder,
                           const oracle::Parameters& values) {
  encoder.visit_parameters(
      [&](Parameter& p) { upload(backend, values.at(p.name), p.value.view()); });
}

/// The oracle's batch on the backend; views are valid while this lives.
class DeviceBatch {
 public:
  DeviceBatch(kernels::Backend& backend, const oracle::Batch& batch)
      : users_(backend, row(batch.users)),
        positives_(backend, row(batch.positives)),
        negatives_(backend, row(batch.negatives)),
        positive_bias_(backend, batch.positive_bias),
        negative_bias_(backend, batch.negative_bias) {}
  Batch view() const {
    return {users_.vector(), positives_.vector(), negatives_.vector(), positive_bias_.vector(),
            negative_bias_.vector()};
  }

 private:
  static support::Dense row(const std::vector<graph::NodeId>& ids) {
    return {1, static_cast<std::int64_t>(ids.size()), std::vector<double>(ids.begin(), ids.end())};
  }
  support::Guarded<graph::NodeId> users_, positives_, negatives_;
  support::Guarded<float> positive_bias_, negative_bias_;
};

/// The sum of the rows' losses; gradients are added to d_final.
inline double add_gradients(kernels::Backend& backend, RankingLoss& loss,
                            kernels::ConstFloatView final, const Batch& batch,
                            kernels::FloatView d_final) {
  LossLog log;
  loss.add_gradients(backend, final, batch, d_final, log.next(backend, batch.users.size));
  double sum = 0.0;
  log.add_to(sum, backend);
  return sum;
}

inline constexpr std::int64_t kNumNodes = 9;

/// Nodes 0 to 3 are users here, 4 to 8 items.
inline graph::Csr small_graph() { return support::random_symmetric(kNumNodes, 4, 121); }

/// A user twice, items in two roles, and shared negatives that hit a row's own positive.
inline oracle::Batch small_batch(LossKind loss) {
  oracle::Batch batch{{0, 1, 2, 0}, {4, 5, 6, 4}, {5, 7, 8, 5, 4}, {}, {}};
  if (loss == LossKind::bpr) batch.negatives = {7, 8, 4, 8};
  return batch;
}

/// Random numbers for every parameter of the encoder, so that none is at a special value such as a
/// zero bias.
inline oracle::Parameters random_parameters(Encoder& encoder, std::uint64_t seed) {
  oracle::Parameters result;
  encoder.visit_parameters([&](Parameter& p) {
    result[p.name] = support::random_dense(p.value.rows(), p.value.cols(), seed++);
  });
  return result;
}

}  // namespace penchant::models
