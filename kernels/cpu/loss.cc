// SPDX-License-Identifier: Apache-2.0
// Ranking losses with their gradients. See the kernels' comments below.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/loss.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// scores_m <- exp(scale * scores_m + bias_m - maximum), maximum = max(positive, max_m of the
/// argument); -infinity becomes 0. maximum_and_sum receives the maximum and the sum of the results.
/// `bias` may be null.
void exponentiate(float* HWY_RESTRICT scores, std::int64_t count, float scale,
                  const float* HWY_RESTRICT bias, float positive,
                  float* HWY_RESTRICT maximum_and_sum) {
  const hn::ScalableTag<float> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto factor = hn::Set(tag, scale);
  auto largest = hn::Set(tag, positive);
  std::int64_t m = 0;
  for (; m + lanes <= count; m += lanes) {
    auto value = hn::Mul(factor, hn::LoadU(tag, scores + m));
    if (bias != nullptr) value = hn::Add(value, hn::LoadU(tag, bias + m));
    hn::StoreU(value, tag, scores + m);
    largest = hn::Max(largest, value);
  }
  float maximum = hn::GetLane(hn::MaxOfLanes(tag, largest));
  for (std::int64_t rest = m; rest < count; ++rest) {
    scores[rest] = scale * scores[rest] + (bias != nullptr ? bias[rest] : 0.0F);
    maximum = HWY_MAX(maximum, scores[rest]);
  }

  const auto shift = hn::Set(tag, maximum);
  auto total = hn::Zero(tag);
  for (m = 0; m + lanes <= count; m += lanes) {
    const auto value = hn::Exp(tag, hn::Sub(hn::LoadU(tag, scores + m), shift));
    hn::StoreU(value, tag, scores + m);
    total = hn::Add(total, value);
  }
  float sum = hn::GetLane(hn::SumOfLanes(tag, total));
  for (; m < count; ++m) {
    // One lane of the same exponential, so that a value does not depend on its place in the row.
    const hn::CappedTag<float, 1> one;
    scores[m] = hn::GetLane(hn::Exp(one, hn::Set(one, scores[m] - maximum)));
    sum += scores[m];
  }
  maximum_and_sum[0] = maximum;
  maximum_and_sum[1] = sum;
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/check.h"

namespace penchant::kernels {

HWY_EXPORT(exponentiate);

namespace {

/// Batch rows per tile: 64 x 1024 scores are 256 KiB, half of a core's L2.
constexpr std::int64_t kTileRows = 64;

float dot(const float* a, const float* b, std::int64_t size) {
  float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < size; ++j) sum += a[j] * b[j];
  return sum;
}

}  // namespace

// bpr: one loss and three gradient rows per (user, positive, negative) triple.
// Computes    x_b = <u_b, p_b - n_b>, losses_b = softplus(-x_b), g_b = -sigmoid(-x_b) / B;
//             d_u = g (p - n), d_p = g u, d_n = -g u
// Shapes      all matrices [B x D] float32 row-major, losses [B]
// Mapping     rows are divided among threads
// Memory      reads 12 D, writes 12 D bytes a row: bandwidth-bound
// Regime      any
// Numerics    float32; softplus by log1p(exp(-|x|)) + max(-x, 0); deterministic; bound (D + 16) eps
// sum|terms| Edge cases  B = 0 returns at once Source      Rendle et al. 2009, "BPR: Bayesian
// personalized ranking from implicit feedback", section 4.1 Measured    not yet measured by itself;
// part of the epoch in docs/benchmarks.md
void CpuBackend::bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                     VectorView<float> losses, FloatView d_users, FloatView d_positives,
                     FloatView d_negatives) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  require_shape("bpr", "users", users, batch, width);
  require_shape("bpr", "positives", positives, batch, width);
  require_shape("bpr", "negatives", negatives, batch, width);
  require_shape("bpr", "d_users", d_users, batch, width);
  require_shape("bpr", "d_positives", d_positives, batch, width);
  require_shape("bpr", "d_negatives", d_negatives, batch, width);
  require_size("bpr", "losses", losses, batch);
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

// sampled_softmax: one loss per batch row against its positive and M shared negatives, and the
// gradients of the mean. Computes    s_bp = <u_b, p_b> / t + bias_b, s_bm = <u_b, n_m> / t +
// bias_m; Z_b = sum exp(s); losses_b = log Z_b - s_bp;
//             P = exp(s) / Z;  d_u = ((P_bp - 1) p_b + sum_m P_bm n_m) / (t B),  d_p = (P_bp - 1)
//             u_b / (t B), d_n_m = sum_b P_bm u_b / (t B)
// Shapes      users, positives [B x D], negatives [M x D], losses [B], float32 row-major
// Mapping     a thread owns a tile of 64 rows: scores by one sgemm, exponentials in place, d_users
// by one sgemm; then
//             d_negatives = P' users by fixed tiles of negatives (gemm)
// Memory      P [B x M] is kept for the second step: 4 B M bytes written and read once; 6 B M D
// flops: bound by sgemm Regime      B M up to what memory holds (8192 x 1024: 32 MiB) Numerics
// shifted by the row's maximum; exponential accurate to 1 ulp of Highway's Exp; deterministic;
// bound (M + D + 16) eps sum|terms| Edge cases  M = 0: loss 0, gradients 0; a negative whose id is
// the row's positive is left out Source      Wu et al. 2022, "On the effectiveness of sampled
// softmax loss for item recommendation", eq. 5 Measured    docs/benchmarks.md#training-step
void CpuBackend::sampled_softmax(ConstFloatView users, ConstFloatView positives,
                                 ConstFloatView negatives, const SampledSoftmaxOptions& options,
                                 VectorView<float> losses, FloatView d_users, FloatView d_positives,
                                 FloatView d_negatives) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const std::int64_t count = negatives.rows;
  const char* op = "sampled_softmax";
  require_shape(op, "users", users, batch, width);
  require_shape(op, "positives", positives, batch, width);
  require_shape(op, "negatives", negatives, count, width);
  require_shape(op, "d_users", d_users, batch, width);
  require_shape(op, "d_positives", d_positives, batch, width);
  require_shape(op, "d_negatives", d_negatives, count, width);
  require_size(op, "losses", losses, batch);
  const bool mask_hits = options.positive_ids.size > 0 || options.negative_ids.size > 0;
  if (mask_hits) {
    require_size(op, "positive_ids", options.positive_ids, batch);
    require_size(op, "negative_ids", options.negative_ids, count);
  }
  if (options.positive_bias.size > 0)
    require_size(op, "positive_bias", options.positive_bias, batch);
  if (options.negative_bias.size > 0)
    require_size(op, "negative_bias", options.negative_bias, count);
  if (!(options.temperature > 0.0F))
    throw InputError(
        fmt::format("{}: temperature is {}, expected more than 0", op, options.temperature));
  if (batch == 0) {
    fill(d_negatives, 0.0F);
    return;
  }

  const float scale = 1.0F / options.temperature;
  const float share = scale / static_cast<float>(batch);
  const FloatView probabilities =
      scratch(softmax_probabilities_, batch, count).view().rows_of(0, batch).cols_of(0, count);
  const auto exponentiate_row = &HWY_DYNAMIC_DISPATCH(exponentiate);
  const std::int64_t tiles = (batch + kTileRows - 1) / kTileRows;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t first = tile * kTileRows;
    const std::int64_t rows = std::min(kTileRows, batch - first);
    const FloatView scores = probabilities.rows_of(first, rows);
    if (count > 0)
      gemm_tile(Transpose::no, Transpose::yes, 1.0F, users.rows_of(first, rows), negatives, 0.0F,
                scores);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t b = first + r;
      float* row = scores.row(r);
      if (mask_hits) {
        const graph::NodeId own = options.positive_ids[b];
        for (std::int64_t m = 0; m < count; ++m) {
          if (options.negative_ids[m] == own) row[m] = -std::numeric_limits<float>::infinity();
        }
      }
      const float positive = scale * dot(users.row(b), positives.row(b), width) +
                             (options.positive_bias.size > 0 ? options.positive_bias[b] : 0.0F);
      float maximum_and_sum[2];
      exponentiate_row(row, count, scale,
                       options.negative_bias.size > 0 ? options.negative_bias.data : nullptr,
                       positive, maximum_and_sum);
      const float own_exponential = std::exp(positive - maximum_and_sum[0]);
      const float normalizer = maximum_and_sum[1] + own_exponential;
      losses[b] = std::log(normalizer) + maximum_and_sum[0] - positive;
      const float factor = share / normalizer;
      for (std::int64_t m = 0; m < count; ++m) row[m] *= factor;
      // P_bp - 1 = -(sum of the other probabilities), which keeps its digits when the loss is
      // small.
      const float pull = -maximum_and_sum[1] * factor;
      for (std::int64_t j = 0; j < width; ++j) {
        d_positives(b, j) = pull * users(b, j);
        d_users(b, j) = pull * positives(b, j);
      }
    }
    if (count > 0) {
      gemm_tile(Transpose::no, Transpose::no, 1.0F, scores, negatives, 1.0F,
                d_users.rows_of(first, rows));
    }
  }
  gemm(Transpose::yes, Transpose::no, 1.0F, probabilities, users, 0.0F, d_negatives);
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
