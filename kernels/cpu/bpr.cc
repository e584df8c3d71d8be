// SPDX-License-Identifier: Apache-2.0
// Bayesian personalised ranking with its gradients. See the kernel's comment below.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

// bpr: one loss and three gradient rows per (user, positive, negative) triple.
// Computes    x_b = <u_b, p_b - n_b>, losses_b = softplus(-x_b), g_b = -sigmoid(-x_b) / B;
//             d_u = g (p - n), d_p = g u, d_n = -g u
// Shapes      all matrices [B x D] float32 row-major, losses [B]
// Mapping     rows are divided among threads
// Memory      reads 12 D, writes 12 D bytes a row: bandwidth-bound
// Regime      any
// Numerics    float32; softplus by log1p(exp(-|x|)) + max(-x, 0); deterministic; bound (D + 16) eps
//             sum|terms|
// Edge cases  B = 0 returns at once
// Source      Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback",
//             section 4.1
// Measured    not yet measured by itself; part of the epoch in docs/benchmarks.md
void CpuBackend::bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                     VectorView<float> losses, FloatView d_users, FloatView d_positives,
                     FloatView d_negatives) {
  const ThreadScope threads(num_threads_);
  check_bpr(Device::cpu, users, positives, negatives, losses, d_users, d_positives, d_negatives);
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const float share = batch > 0 ? 1.0F / static_cast<float>(batch) : 0.0F;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < batch; ++b) {
    const float* u = users.row(b);
    const float* p = positives.row(b);
    const float* n = negatives.row(b);
    float x = 0.0F;
#pragma omp simd reduction(+ : x)
    for (std::int64_t j = 0; j < width; ++j) x += u[j] * (p[j] - n[j]);
    losses[b] = std::log1p(std::exp(-std::abs(x))) + std::max(-x, 0.0F);
    const float g = -share / (1.0F + std::exp(x));
    for (std::int64_t j = 0; j < width; ++j) {
      d_users(b, j) = g * (p[j] - n[j]);
      d_positives(b, j) = g * u[j];
      d_negatives(b, j) = -g * u[j];
    }
  }
}

}  // namespace penchant::kernels
