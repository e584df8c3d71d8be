// SPDX-License-Identifier: Apache-2.0
// Softmax over a row's positive and shared negatives, few or a whole catalogue, with its gradients.
// See the kernel's comment below.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sampled_softmax.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Tag>
HWY_INLINE hn::Vec<Tag> scaled(Tag tag, const float* HWY_RESTRICT scores, hn::Vec<Tag> scale,
                               const float* HWY_RESTRICT bias) {
  const auto score = hn::LoadU(tag, scores);
  return bias == nullptr ? hn::Mul(scale, score) : hn::MulAdd(scale, score, hn::LoadU(tag, bias));
}

/// exponentiate_row().
void exponentiate(float* HWY_RESTRICT scores, std::int64_t count, float scale,
                  const float* HWY_RESTRICT bias, float* HWY_RESTRICT maximum_and_sum) {
  const hn::ScalableTag<float> tag;
  // The rest of a row one lane at a time by the same functions, so that a value does not depend on
  // its place.
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto factor = hn::Set(tag, scale);
  const auto single_factor = hn::Set(one, scale);
  auto largest = hn::Set(tag, maximum_and_sum[0]);
  std::int64_t m = 0;
  for (; m + lanes <= count; m += lanes)
    largest = hn::Max(largest, scaled(tag, scores + m, factor, bias == nullptr ? bias : bias + m));
  float maximum = hn::GetLane(hn::MaxOfLanes(tag, largest));
  for (; m < count; ++m) {
    const float value =
        hn::GetLane(scaled(one, scores + m, single_factor, bias == nullptr ? bias : bias + m));
    maximum = HWY_MAX(maximum, value);
  }

  const auto shift = hn::Set(tag, maximum);
  auto total = hn::Zero(tag);
  for (m = 0; m + lanes <= count; m += lanes) {
    const auto value = hn::Exp(
        tag, hn::Sub(scaled(tag, scores + m, factor, bias == nullptr ? bias : bias + m), shift));
    hn::StoreU(value, tag, scores + m);
    total = hn::Add(total, value);
  }
  float sum = hn::GetLane(hn::SumOfLanes(tag, total));
  for (; m < count; ++m) {
    const auto value = hn::Exp(
        one, hn::Sub(scaled(one, scores + m, single_factor, bias == nullptr ? bias : bias + m),
                     hn::Set(one, maximum)));
    hn::StoreU(value, one, scores + m);
    sum += hn::GetLane(value);
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

#include <omp.h>

#include "kernels/cpu/rows.h"
#include "kernels/operands.h"

namespace penchant::kernels {

HWY_EXPORT(exponentiate);

void exponentiate_row(float* scores, std::int64_t count, float scale, const float* bias,
                      float* maximum_and_sum) {
  HWY_DYNAMIC_DISPATCH(exponentiate)(scores, count, scale, bias, maximum_and_sum);
}

namespace {

using graph::NodeId;

/// A tile of scores: 32 x 512 floats are 64 KiB, which stay in L2 between the product that makes
/// them, the exponential, and the product that uses them.
constexpr std::int64_t kTileRows = 32;
constexpr std::int64_t kTileCols = 512;
/// Distance of a tile's rows: not a power of two, whose rows share cache sets when d_negatives'
/// product walks down the columns.
constexpr std::int64_t kTileStride = kTileCols + 16;
/// Scores kept between the two steps: as many batch rows as fit 32 MiB, but enough for the threads.
constexpr std::int64_t kKeptScores = std::int64_t{8} << 20;
constexpr std::int64_t kFewestRows = 256;

std::int64_t tiles_of(std::int64_t size, std::int64_t tile) { return (size + tile - 1) / tile; }

/// Batch rows of a chunk: depends on the number of negatives only.
std::int64_t chunk_rows(std::int64_t count) {
  const std::int64_t columns = std::max(tiles_of(count, kTileCols) * kTileCols, kTileCols);
  return std::max(kKeptScores / columns / kTileRows * kTileRows, kFewestRows);
}

}  // namespace

// sampled_softmax: one loss per batch row against its positive and M shared negatives, and the
// gradients of the mean.
// Computes    s_bp = <u_b, p_b> / t + bias_b, s_bm = <u_b, n_m> / t + bias_m; Z_b = sum exp(s);
//             losses_b = log Z_b - s_bp; P = exp(s) / Z; d_u = ((P_bp - 1) p_b + sum_m P_bm n_m) /
//             (t B), d_p = (P_bp - 1) u_b / (t B), d_n_m = sum_b P_bm u_b / (t B)
// Shapes      users, positives [B x D], negatives [M x D], losses [B], float32 row-major
// Mapping     chunks of batch rows; in a chunk first a thread owns 32 rows and walks tiles of 512
//             negatives: scores by sgemm, exponentials in place under the running maximum, d_u by
//             sgemm (rescaled when the maximum grows). Then a thread owns 512 negatives: d_n +=
//             E' (w u), where w_b = exp(tile's maximum - row's maximum) / (Z_b t B), so that the
//             exponentials are never divided
// Memory      E of a chunk (32 MiB, or 256 rows) is written and read once, in L3; 6 B M D flops:
//             bound by sgemm
// Regime      M from some hundreds to a whole catalogue of 100,000
// Numerics    exponential accurate to 1 ulp of Highway's Exp; deterministic: chunks and tiles
//             depend on shapes only; bound (M + D + 16) eps sum|terms|
// Edge cases  M = 0: loss 0, gradients 0; a negative whose id is the row's positive is left out
// Source      Wu et al. 2022, "On the effectiveness of sampled softmax loss for item
//             recommendation", eq. 5; running maximum: Milakov and Gimelshein 2018, "Online
//             normalizer calculation for softmax", algorithm 3
// Measured    docs/benchmarks.md#training-step
void CpuBackend::sampled_softmax(ConstFloatView users, ConstFloatView positives,
                                 ConstFloatView negatives, const SampledSoftmaxOptions& options,
                                 VectorView<float> losses, FloatView d_users, FloatView d_positives,
                                 FloatView d_negatives) {
  const ThreadScope threads(num_threads_);
  check_sampled_softmax(Device::cpu, users, positives, negatives, options, losses, d_users,
                        d_positives, d_negatives);
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const std::int64_t count = negatives.rows;
  if (batch == 0) {
    fill(d_negatives, 0.0F);
    return;
  }

  const float scale = 1.0F / options.temperature;
  const float share = scale / static_cast<float>(batch);
  const float* bias = options.negative_bias.size > 0 ? options.negative_bias.data : nullptr;
  const std::int64_t col_tiles = tiles_of(count, kTileCols);
  const std::int64_t chunk = std::min(chunk_rows(count), batch);
  const FloatView kept = scratch(softmax_scores_, col_tiles * chunk, kTileStride).view();
  const FloatView maxima = scratch(softmax_maxima_, chunk, col_tiles + 1).view();
  const FloatView weighted = scratch(softmax_users_, omp_get_max_threads() * chunk, width).view();
  const FloatView weights = scratch(softmax_weights_, 1, chunk).view();
  sort_places(options.negative_ids);

  for (std::int64_t start = 0; start < batch; start += chunk) {
    const std::int64_t size = std::min(chunk, batch - start);
#pragma omp parallel for schedule(dynamic, 1)
    for (std::int64_t first = 0; first < size; first += kTileRows) {
      const std::int64_t rows = std::min(kTileRows, size - first);
      float own_scores[kTileRows];
      float sums[kTileRows];
      std::size_t hits[kTileRows];  // next place in sorted_places_ to leave out
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t b = start + first + r;
        own_scores[r] = scale * dot(users.row(b), positives.row(b), width) +
                        (options.positive_bias.size > 0 ? options.positive_bias[b] : 0.0F);
        maxima(first + r, col_tiles) = own_scores[r];
        sums[r] = 0.0F;
        hits[r] = options.positive_ids.size > 0 ? first_place(options.positive_ids[b])
                                                : sorted_places_.size();
        std::fill_n(d_users.row(b), width, 0.0F);
      }
      const ConstFloatView own_users = users.rows_of(start + first, rows);
      const FloatView gradients = d_users.rows_of(start + first, rows);
      for (std::int64_t tile = 0; tile < col_tiles; ++tile) {
        const std::int64_t col = tile * kTileCols;
        const std::int64_t cols = std::min(kTileCols, count - col);
        const ConstFloatView items = negatives.rows_of(col, cols);
        const FloatView scores = kept.rows_of(tile * chunk + first, rows).cols_of(0, cols);
        gemm_tile(Transpose::no, Transpose::yes, 1.0F, own_users, items, 0.0F, scores);
        for (std::int64_t r = 0; r < rows; ++r) {
          float* row = scores.row(r);
          float& running = maxima(first + r, col_tiles);
          for (; hits[r] < sorted_places_.size() &&
                 sorted_places_[hits[r]].id == options.positive_ids[start + first + r] &&
                 sorted_places_[hits[r]].place < col + cols;
               ++hits[r])
            row[sorted_places_[hits[r]].place - col] = -std::numeric_limits<float>::infinity();
          float maximum_and_sum[2] = {running, 0.0F};
          exponentiate_row(row, cols, scale, bias == nullptr ? nullptr : bias + col,
                           maximum_and_sum);
          if (maximum_and_sum[0] > running) {
            const float factor = std::exp(running - maximum_and_sum[0]);
            running = maximum_and_sum[0];
            sums[r] *= factor;
            for (std::int64_t j = 0; j < width; ++j) gradients(r, j) *= factor;
          }
          sums[r] += maximum_and_sum[1];
          maxima(first + r, tile) = running;
        }
        gemm_tile(Transpose::no, Transpose::no, 1.0F, scores, items, 1.0F, gradients);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t b = start + first + r;
        const float maximum = maxima(first + r, col_tiles);
        const float normalizer = sums[r] + std::exp(own_scores[r] - maximum);
        losses[b] = std::log(normalizer) + maximum - own_scores[r];
        const float weight = share / normalizer;
        weights(0, first + r) = weight;
        // P_bp - 1 = -(sum of the other probabilities), which keeps its digits when the loss is
        // small.
        const float pull = -sums[r] * weight;
        for (std::int64_t j = 0; j < width; ++j) {
          d_positives(b, j) = pull * users(b, j);
          d_users(b, j) = weight * d_users(b, j) + pull * positives(b, j);
        }
      }
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (std::int64_t tile = 0; tile < col_tiles; ++tile) {
      const std::int64_t col = tile * kTileCols;
      const std::int64_t cols = std::min(kTileCols, count - col);
      const FloatView scaled_users =
          weighted.rows_of(omp_get_thread_num() * chunk, size).cols_of(0, width);
      for (std::int64_t r = 0; r < size; ++r) {
        const float behind = maxima(r, tile) - maxima(r, col_tiles);
        const float weight = weights(0, r) * (behind < 0.0F ? std::exp(behind) : 1.0F);
        const float* user = users.row(start + r);
        float* to = scaled_users.row(r);
        for (std::int64_t j = 0; j < width; ++j) to[j] = weight * user[j];
      }
      gemm_tile(Transpose::yes, Transpose::no, 1.0F,
                kept.rows_of(tile * chunk, size).cols_of(0, cols), scaled_users,
                start == 0 ? 0.0F : 1.0F, d_negatives.rows_of(col, cols));
    }
  }
}

void CpuBackend::sort_places(IdView ids) {
  sorted_places_.clear();
  for (std::int64_t m = 0; m < ids.size; ++m)
    sorted_places_.push_back({ids[m], static_cast<NodeId>(m)});
  const auto before = [](const IdPlace& a, const IdPlace& b) {
    return a.id != b.id ? a.id < b.id : a.place < b.place;
  };
  if (!std::is_sorted(sorted_places_.begin(), sorted_places_.end(), before))
    std::sort(sorted_places_.begin(), sorted_places_.end(), before);
}

std::size_t CpuBackend::first_place(graph::NodeId id) const {
  const auto found =
      std::lower_bound(sorted_places_.begin(), sorted_places_.end(), id,
                       [](const IdPlace& a, graph::NodeId wanted) { return a.id < wanted; });
  return static_cast<std::size_t>(found - sorted_places_.begin());
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
