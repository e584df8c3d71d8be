// SPDX-License-Identifier: Apache-2.0
// Losses of one number and one label a row, with their gradients. See the kernels' comments below.
#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

// binary_cross_entropy: one loss and one gradient per logit.
// Computes    losses = max(x, 0) - y x + log1p(exp(-|x|)), d = (sigmoid(x) - y) / B
// Shapes      logits, labels, losses, d_logits [B] float32
// Mapping     rows are divided among threads
// Memory      16 bytes and two exponentials a row
// Regime      any; a model has one logit for each pair, so this never costs much
// Numerics    float32; no overflow for any finite logit; deterministic; bound in docs/numerics.md
// Edge cases  B = 0 returns at once; labels outside [0, 1]: InputError
// Source      the negative log-likelihood of a Bernoulli variable
// Measured    not yet measured by itself
void CpuBackend::binary_cross_entropy(VectorView<const float> logits,
                                      VectorView<const float> labels, VectorView<float> losses,
                                      VectorView<float> d_logits) {
  const ThreadScope threads(num_threads_);
  const char* op = "binary_cross_entropy";
  check_pointwise(Device::cpu, op, "logits", logits, "labels", labels, losses, d_logits);
  const std::int64_t batch = logits.size;
  for (std::int64_t b = 0; b < batch; ++b) {
    if (!(labels[b] >= 0.0F && labels[b] <= 1.0F))
      throw InputError(fmt::format("{}: label {} is {}, expected [0, 1]", op, b, labels[b]));
  }
  const float share = batch > 0 ? 1.0F / static_cast<float>(batch) : 0.0F;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < batch; ++b) {
    const float x = logits[b];
    const float small = std::exp(-std::abs(x));
    const float sigmoid = (x >= 0.0F ? 1.0F : small) / (1.0F + small);
    losses[b] = std::max(x, 0.0F) - labels[b] * x + std::log1p(small);
    d_logits[b] = share * (sigmoid - labels[b]);
  }
}

// squared_error: one loss and one gradient per prediction.
// Computes    losses = (x - target)^2 / 2, d_x = (x - target) / B
// Shapes      x, targets, losses, d_x [B] float32
// Mapping     rows are divided among threads
// Memory      16 bytes a row
// Regime      any
// Numerics    float32; deterministic; bound in docs/numerics.md
// Edge cases  B = 0 returns at once
// Source      least squares
// Measured    not yet measured by itself
void CpuBackend::squared_error(VectorView<const float> x, VectorView<const float> targets,
                               VectorView<float> losses, VectorView<float> d_x) {
  const ThreadScope threads(num_threads_);
  check_pointwise(Device::cpu, "squared_error", "x", x, "targets", targets, losses, d_x);
  const std::int64_t batch = x.size;
  const float share = batch > 0 ? 1.0F / static_cast<float>(batch) : 0.0F;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < batch; ++b) {
    const float difference = x[b] - targets[b];
    losses[b] = 0.5F * difference * difference;
    d_x[b] = share * difference;
  }
}

}  // namespace penchant::kernels
