// SPDX-License-Identifier: Apache-2.0
// Losses with their gradients on the device: bpr and the pointwise ones whole, sampled softmax as
// the row-wise stage between its three matrix products, which are the caller's.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/reduce.cuh"

namespace penchant::kernels::cuda {

namespace {

/// log(1 + exp(x)) without overflow.
__device__ __forceinline__ float softplus(float x) {
  return log1pf(expf(-fabsf(x))) + fmaxf(x, 0.0F);
}

struct SoftmaxConfig {
  static constexpr int kBlockThreads = 128;
  /// Scores that a thread holds in registers: rows of up to 1024 negatives, and of up to 4096. An
  /// estimate, not yet measured.
  static constexpr int kFewScores = 8;
  static constexpr int kManyScores = 32;
};

// bpr: one loss and three gradient rows per (user, positive, negative) triple.
// Computes    x_b = <u_b, p_b - n_b>, losses_b = softplus(-x_b), g_b = -sigmoid(-x_b) / B;
//             d_u = g (p - n), d_p = g u, d_n = -g u
// Shapes      all matrices [B x D] float32 row-major, any alignment; losses [B]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps
// Memory      reads 12 D (again from L1), writes 12 D bytes a row, coalesced: bound by device
//             memory
// Regime      D >= 32; narrower rows leave lanes idle
// Numerics    float32; softplus by log1p(exp(-|x|)) + max(-x, 0); deterministic; bound (D + 16) eps
//             sum|terms|
// Edge cases  B = 0 is not launched; |x| beyond exp's range gives loss 0 or |x|
// Source      Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", 4.1
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    bpr_kernel(Rows<const float> users, Rows<const float> positives, Rows<const float> negatives,
               std::int64_t batch, std::int64_t cols, float share, float* __restrict__ losses,
               Rows<float> d_users, Rows<float> d_positives, Rows<float> d_negatives) {
  const std::int64_t b = row_of_warp();
  if (b >= batch) return;
  const float* u = users.row(b);
  const float* p = positives.row(b);
  const float* n = negatives.row(b);
  const float x = row_sum(cols, [=](std::int64_t j) { return u[j] * (p[j] - n[j]); });
  const float g = -share / (1.0F + expf(x));
  if (threadIdx.x == 0) losses[b] = softplus(-x);
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize) {
    const float user = u[j];
    d_users.at(b, j) = g * (p[j] - n[j]);
    d_positives.at(b, j) = g * user;
    d_negatives.at(b, j) = -g * user;
  }
}

struct SoftmaxArguments {
  float scale;                        ///< 1 / temperature
  float share;                        ///< scale / B
  const graph::NodeId* positive_ids;  ///< null: nothing is left out
  const graph::NodeId* negative_ids;
  const float* positive_bias;  ///< null: zeros
  const float* negative_bias;
  std::int64_t count;  ///< M
  std::int64_t width;  ///< D
};

/// Combines the block's values; every thread gets the result. `shared` has one element a warp and
/// is free again when this returns.
template <typename Combine>
__device__ __forceinline__ float block_combine(float value, Combine combine,
                                               SharedPointer<float> shared) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(kFullWarp, value, distance));
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  if (threadIdx.x % kWarpSize == 0) shared[warp] = value;
  __syncthreads();
  float result = shared[0];
  for (int w = 1; w < SoftmaxConfig::kBlockThreads / kWarpSize; ++w)
    result = combine(result, static_cast<float>(shared[w]));
  __syncthreads();
  return result;
}

/// The scores of a row that a thread owns: every kBlockThreads-th.
template <int Held>
struct SoftmaxScores {
  float held[Held];
  float* row;
  std::int64_t count;
  /// Calls function(m, score) for each; what it leaves in `score` is there at the next call.
  template <typename Function>
  __device__ __forceinline__ void each(Function function) {
#pragma unroll
    for (int k = 0; k < Held; ++k) {
      const std::int64_t m = threadIdx.x + std::int64_t{k} * SoftmaxConfig::kBlockThreads;
      if (m < count) function(m, held[k]);
    }
  }
};
template <>
struct SoftmaxScores<0> {
  float* row;
  std::int64_t count;
  template <typename Function>
  __device__ __forceinline__ void each(Function function) {
    for (std::int64_t m = threadIdx.x; m < count; m += SoftmaxConfig::kBlockThreads)
      function(m, row[m]);
  }
};

// sampled_softmax_rows: one loss, and what the three matrix products of the op need of its row.
// Computes    s_bm = scores_bm / t + bias_m (left out where negative m is the row's positive), s_bp
//             = <u_b, p_b> / t + bias_b; Z = sum exp(s); losses_b = log Z - s_bp; scores_bm <-
//             P_bm / (t B); d_u_b = (P_bp - 1) p_b / (t B), d_p_b = (P_bp - 1) u_b / (t B)
// Shapes      scores [B x M], users, positives, d_users, d_positives [B x D] float32 row-major, any
//             alignment; losses [B]
// Mapping     a block of 128 threads a row, strided over M; grid B. A thread holds its Held scores
//             in registers; Held = 0 leaves them in memory between the three passes over a row
// Memory      16 bytes shared; scores are read once and written once, coalesced, with Held = 0
//             three times each, from L2 after the first: the stage is bound by L2, the op by its
//             products
// Regime      M >= 128; Held = 8 up to M = 1024, 32 up to 4096, 0 beyond; B up to 2^31
// Numerics    float32, shifted by the row's maximum; expf to 2 ulp; P_bp - 1 as minus the sum of
//             the other probabilities, which keeps its digits when the loss is small; order fixed:
//             deterministic, the same bits whatever Held; bound (M + D + 16) eps sum|terms|
// Edge cases  M = 0: loss 0, gradients 0
// Source      Wu et al. 2022, "On the effectiveness of sampled softmax loss for item
//             recommendation", eq. 5
// Measured    not yet measured
template <int Held>
__global__ void __launch_bounds__(SoftmaxConfig::kBlockThreads)
    sampled_softmax_rows_kernel(SoftmaxArguments a, Rows<const float> users,
                                Rows<const float> positives, Rows<float> scores,
                                float* __restrict__ losses, Rows<float> d_users,
                                Rows<float> d_positives) {
  PENCHANT_SHARED(float, shared, SoftmaxConfig::kBlockThreads / kWarpSize);
  const std::int64_t b = blockIdx.x;
  const std::int64_t first = threadIdx.x;
  float* row = scores.row(b);
  const float* u = users.row(b);
  const float* p = positives.row(b);
  const auto add = [](float x, float y) { return x + y; };
  const auto larger = [](float x, float y) { return fmaxf(x, y); };

  float dot = 0.0F;
  for (std::int64_t j = first; j < a.width; j += SoftmaxConfig::kBlockThreads) dot += u[j] * p[j];
  dot = block_combine(dot, add, shared);
  const float positive = a.scale * dot + (a.positive_bias != nullptr ? a.positive_bias[b] : 0.0F);

  SoftmaxScores<Held> mine;
  mine.row = row;
  mine.count = a.count;
  float maximum = positive;
  mine.each([&](std::int64_t m, float& score) {
    score = a.scale * row[m];
    if (a.negative_bias != nullptr) score += a.negative_bias[m];
    if (a.positive_ids != nullptr && a.negative_ids[m] == a.positive_ids[b]) score = -kInfinity;
    maximum = fmaxf(maximum, score);
  });
  maximum = block_combine(maximum, larger, shared);

  float sum = 0.0F;
  mine.each([&](std::int64_t, float& score) {
    score = expf(score - maximum);
    sum += score;
  });
  sum = block_combine(sum, add, shared);

  const float normalizer = sum + expf(positive - maximum);
  if (threadIdx.x == 0) losses[b] = logf(normalizer) + maximum - positive;
  const float factor = a.share / normalizer;
  mine.each([&](std::int64_t m, float& score) { row[m] = score * factor; });
  const float pull = -sum * factor;
  for (std::int64_t j = first; j < a.width; j += SoftmaxConfig::kBlockThreads) {
    const float user = u[j];
    d_users.at(b, j) = pull * p[j];
    d_positives.at(b, j) = pull * user;
  }
}

/// losses = softplus(logit) - label logit, d_logits = share (sigmoid(logit) - label).
struct BinaryCrossEntropy {
  float share;
  const float *logits, *labels;
  float *losses, *d_logits;
  template <int N>
  __device__ void apply(std::int64_t, std::int64_t b) const {
    static_assert(N == 1);
    const float logit = logits[b];
    const float label = labels[b];
    losses[b] = softplus(logit) - label * logit;
    d_logits[b] = share * (sigmoid(logit) - label);
  }
};

/// losses = (x - target)^2 / 2, d_x = share (x - target).
struct SquaredError {
  float share;
  const float *x, *targets;
  float *losses, *d_x;
  template <int N>
  __device__ void apply(std::int64_t, std::int64_t b) const {
    static_assert(N == 1);
    const float difference = x[b] - targets[b];
    losses[b] = 0.5F * difference * difference;
    d_x[b] = share * difference;
  }
};

}  // namespace

inline void bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                VectorView<float> losses, FloatView d_users, FloatView d_positives,
                FloatView d_negatives, Stream stream) {
  if (users.rows == 0) return;
  const float share = 1.0F / static_cast<float>(users.rows);
  launch(bpr_kernel, warp_per_row_shape(users.rows), stream, Rows(users), Rows(positives),
         Rows(negatives), users.rows, users.cols, share, losses.data, Rows(d_users),
         Rows(d_positives), Rows(d_negatives));
}

/// Middle stage of Backend::sampled_softmax. The caller puts the products users negatives' into
/// `scores` [B x M] first, and adds scores negatives to d_users and makes d_negatives = scores'
/// users afterwards.
inline void sampled_softmax_rows(ConstFloatView users, ConstFloatView positives,
                                 const SampledSoftmaxOptions& options, FloatView scores,
                                 VectorView<float> losses, FloatView d_users, FloatView d_positives,
                                 Stream stream) {
  if (users.rows == 0) return;
  const float scale = 1.0F / options.temperature;
  // Empty views may have an address.
  const auto data = [](const auto& view) { return view.size > 0 ? view.data : nullptr; };
  const SoftmaxArguments arguments{scale,
                                   scale / static_cast<float>(users.rows),
                                   data(options.positive_ids),
                                   data(options.negative_ids),
                                   data(options.positive_bias),
                                   data(options.negative_bias),
                                   scores.cols,
                                   users.cols};
  constexpr std::int64_t kThreads = SoftmaxConfig::kBlockThreads;
  const auto kernel = scores.cols <= kThreads * SoftmaxConfig::kFewScores
                          ? sampled_softmax_rows_kernel<SoftmaxConfig::kFewScores>
                      : scores.cols <= kThreads * SoftmaxConfig::kManyScores
                          ? sampled_softmax_rows_kernel<SoftmaxConfig::kManyScores>
                          : sampled_softmax_rows_kernel<0>;
  launch(kernel, {dim3(grid_x(users.rows)), dim3(SoftmaxConfig::kBlockThreads)}, stream, arguments,
         Rows(users), Rows(positives), Rows(scores), losses.data, Rows(d_users), Rows(d_positives));
}

/// Backend::sampled_softmax of checked operands for a backend with products and fill: three products
/// around the kernel of the rows. Memory keeps the probabilities [B x M].
template <typename Memory>
void sampled_softmax(Backend& backend, Memory& memory, ConstFloatView users,
                     ConstFloatView positives, ConstFloatView negatives,
                     const SampledSoftmaxOptions& options, VectorView<float> losses,
                     FloatView d_users, FloatView d_positives, FloatView d_negatives,
                     Stream stream) {
  const std::int64_t batch = users.rows;
  const std::int64_t count = negatives.rows;
  if (batch == 0) {
    backend.fill(d_negatives, 0.0F);
    return;
  }
  // Rows on 64-byte boundaries, as Backend::matrix makes them.
  const std::int64_t stride = ceil_div(count, 16) * 16;
  const FloatView scores(memory.template reserve<float>(batch * stride), batch, count, stride,
                         Device::cuda);
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, users, negatives, 0.0F, scores);
  sampled_softmax_rows(users, positives, options, scores, losses, d_users, d_positives, stream);
  if (count == 0) return;
  backend.gemm(Transpose::no, Transpose::no, 1.0F, scores, negatives, 1.0F, d_users);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, scores, users, 0.0F, d_negatives);
}

inline void binary_cross_entropy(VectorView<const float> logits, VectorView<const float> labels,
                                 VectorView<float> losses, VectorView<float> d_logits,
                                 Stream stream) {
  if (logits.size == 0) return;
  const float share = 1.0F / static_cast<float>(logits.size);
  map_elements(BinaryCrossEntropy{share, logits.data, labels.data, losses.data, d_logits.data}, 1,
               logits.size, stream);
}

inline void squared_error(VectorView<const float> x, VectorView<const float> targets,
                          VectorView<float> losses, VectorView<float> d_x, Stream stream) {
  if (x.size == 0) return;
  const float share = 1.0F / static_cast<float>(x.size);
  map_elements(SquaredError{share, x.data, targets.data, losses.data, d_x.data}, 1, x.size, stream);
}

}  // namespace penchant::kernels::cuda
