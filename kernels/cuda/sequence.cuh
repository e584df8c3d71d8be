// SPDX-License-Identifier: Apache-2.0
// Kernels of sequence models on the device that no vendor library has: causal convolution as a
// matrix product (unfold and fold around the caller's GEMM), maximum over a sequence, running sums.
// Sequences lie one after another; `offsets` [B + 1] is in device memory.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"

namespace penchant::kernels::cuda {

/// Segments in device memory.
struct DeviceSegments {
  const std::int64_t* offsets = nullptr;  ///< [B + 1]
  std::int64_t num_segments = 0;          ///< B
};

namespace {

struct SequenceConfig {
  static constexpr int kBlockRows = 8;
};

/// Number of the segment that holds `row`; empty segments hold none.
__device__ __forceinline__ std::int64_t segment_of(const DeviceSegments& segments,
                                                   std::int64_t row) {
  std::int64_t first = 0;
  std::int64_t last = segments.num_segments;  // the answer lies in [first, last)
  while (last - first > 1) {
    const std::int64_t middle = first + (last - first) / 2;
    if (segments.offsets[middle] <= row)
      first = middle;
    else
      last = middle;
  }
  return first;
}

// unfold: one row of inputs that a causal convolution reads.
// Computes    u_(t, k F + f) = x_(t - k, f), 0 before the start of the sequence
// Shapes      x [S x F], u [S x width F] float32 row-major, any alignment; offsets [B + 1] int64
// Mapping     one warp a row, lanes strided over the row of u; the row's sequence by binary search;
//             blocks of 8 warps
// Memory      reads 4 F bytes a row (width times, from L1 and L2), writes 4 width F: bound by
//             device memory
// Regime      narrow kernels (width <= 8): u is width times x
// Numerics    exact
// Edge cases  rows nearer to the start than width; empty sequences have no rows
// Source      Chellapilla et al. 2006, "High performance convolutional neural networks for document
//             processing", section 4 (im2col)
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* SequenceConfig::kBlockRows)
    unfold_kernel(DeviceSegments segments, std::int64_t width, Rows<const float> x,
                  std::int64_t rows, std::int64_t cols, Rows<float> u) {
  const std::int64_t t = std::int64_t{blockIdx.x} * SequenceConfig::kBlockRows + threadIdx.y;
  if (t >= rows) return;
  const std::int64_t start = segments.offsets[segment_of(segments, t)];
  for (std::int64_t k = 0; k < width; ++k) {
    for (std::int64_t f = threadIdx.x; f < cols; f += kWarpSize)
      u.at(t, k * cols + f) = t - k >= start ? x.at(t - k, f) : 0.0F;
  }
}

// fold: one row of the gradient of unfold.
// Computes    d_x_(t, f) = sum_(k < width, t + k in the sequence) d_u_(t + k, k F + f)
// Shapes      d_u [S x width F], d_x [S x F] float32 row-major, any alignment
// Mapping     as unfold, over the rows of d_x
// Memory      reads 4 width F bytes a row, each once: bound by device memory
// Regime      as unfold
// Numerics    float32, ascending k: deterministic; bound (width + 4) eps sum|terms|
// Edge cases  as unfold, at the end of the sequence
// Source      as unfold
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* SequenceConfig::kBlockRows)
    fold_kernel(DeviceSegments segments, std::int64_t width, Rows<const float> d_u,
                std::int64_t rows, std::int64_t cols, Rows<float> d_x) {
  const std::int64_t t = std::int64_t{blockIdx.x} * SequenceConfig::kBlockRows + threadIdx.y;
  if (t >= rows) return;
  const std::int64_t end = segments.offsets[segment_of(segments, t) + 1];
  for (std::int64_t f = threadIdx.x; f < cols; f += kWarpSize) {
    float sum = 0.0F;
    for (std::int64_t k = 0; k < width && t + k < end; ++k) sum += d_u.at(t + k, k * cols + f);
    d_x.at(t, f) = sum;
  }
}

// segment_max: one column's largest value of one sequence, and where it stands.
// Computes    y_bj = max_(t in sequence b) x_tj, rows_bj = the first t that has it
// Shapes      x [S x H], y float32 and rows int32 [B x H], row-major, any alignment
// Mapping     one warp for 32 columns of a sequence, lane = column, rows in order; blocks of 8
//             sequences, grid (B / 8, H / 32)
// Memory      4 bytes an element, coalesced: bound by device memory
// Regime      sequences up to a few thousand steps
// Numerics    exact; the first of equal values
// Edge cases  an empty sequence gives 0 and kNoNode
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* SequenceConfig::kBlockRows)
    segment_max_kernel(DeviceSegments segments, Rows<const float> x, std::int64_t cols,
                       Rows<float> y, Rows<graph::NodeId> rows) {
  const std::int64_t b = std::int64_t{blockIdx.x} * SequenceConfig::kBlockRows + threadIdx.y;
  const std::int64_t j = std::int64_t{blockIdx.y} * kWarpSize + threadIdx.x;
  if (b >= segments.num_segments || j >= cols) return;
  const std::int64_t first = segments.offsets[b];
  const std::int64_t last = segments.offsets[b + 1];
  float largest = first < last ? x.at(first, j) : 0.0F;
  std::int64_t place = first < last ? first : graph::kNoNode;
  for (std::int64_t t = first + 1; t < last; ++t) {
    const float value = x.at(t, j);
    if (value > largest) {
      largest = value;
      place = t;
    }
  }
  y.at(b, j) = largest;
  rows.at(b, j) = static_cast<graph::NodeId>(place);
}

/// d_x at the row that a maximum came from; sequences do not share rows, so no two threads meet.
struct ScatterMax {
  Rows<const graph::NodeId> rows;
  Rows<const float> d_y;
  Rows<float> d_x;
  template <int N>
  __device__ void apply(std::int64_t b, std::int64_t j) const {
    static_assert(N == 1);
    const graph::NodeId row = rows.at(b, j);
    if (row >= 0) d_x.at(row, j) = d_y.at(b, j);
  }
};

// running_sum: one column of one sequence.
// Computes    y_t = x_t + decay y_(t - 1), or from the end y_t = x_t + decay y_(t + 1)
// Shapes      x, y [S x D] float32 row-major, any alignment, may be one
// Mapping     one warp for 32 columns of a sequence, lane = column, rows in order; blocks of 8
//             sequences, grid (B / 8, D / 32)
// Memory      8 bytes an element, coalesced: bound by device memory, by latency for few sequences
// Regime      sequences up to a few thousand steps, hundreds of sequences
// Numerics    float32, one chain in time order: deterministic
// Edge cases  empty sequences have no rows
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* SequenceConfig::kBlockRows)
    running_sum_kernel(bool backward, DeviceSegments segments, float decay, Rows<const float> x,
                       std::int64_t cols, Rows<float> y) {
  const std::int64_t b = std::int64_t{blockIdx.x} * SequenceConfig::kBlockRows + threadIdx.y;
  const std::int64_t j = std::int64_t{blockIdx.y} * kWarpSize + threadIdx.x;
  if (b >= segments.num_segments || j >= cols) return;
  const std::int64_t first = segments.offsets[b];
  const std::int64_t length = segments.offsets[b + 1] - first;
  float sum = 0.0F;
  for (std::int64_t step = 0; step < length; ++step) {
    const std::int64_t t = first + (backward ? length - 1 - step : step);
    sum = x.at(t, j) + decay * sum;
    y.at(t, j) = sum;
  }
}

inline LaunchShape warp_per_segment_shape(std::int64_t segments, std::int64_t cols) {
  return {dim3(grid_x(ceil_div(segments, SequenceConfig::kBlockRows)),
               grid_y(ceil_div(cols, kWarpSize))),
          dim3(kWarpSize, SequenceConfig::kBlockRows)};
}

}  // namespace

/// u [S x width F]; the convolution is u weight + bias.
inline void unfold(const DeviceSegments& segments, std::int64_t width, ConstFloatView x,
                   FloatView u, Stream stream) {
  if (u.rows == 0 || u.cols == 0) return;
  launch(unfold_kernel,
         {dim3(grid_x(ceil_div(x.rows, SequenceConfig::kBlockRows))),
          dim3(kWarpSize, SequenceConfig::kBlockRows)},
         stream, segments, width, Rows(x), x.rows, x.cols, Rows(u));
}

/// d_x [S x F] from d_u [S x width F] = d_y weight'.
inline void fold(const DeviceSegments& segments, std::int64_t width, ConstFloatView d_u,
                 FloatView d_x, Stream stream) {
  if (d_x.rows == 0 || d_x.cols == 0) return;
  launch(fold_kernel,
         {dim3(grid_x(ceil_div(d_x.rows, SequenceConfig::kBlockRows))),
          dim3(kWarpSize, SequenceConfig::kBlockRows)},
         stream, segments, width, Rows(d_u), d_x.rows, d_x.cols, Rows(d_x));
}

inline void segment_max(const DeviceSegments& segments, ConstFloatView x, FloatView y,
                        MatrixView<graph::NodeId> rows, Stream stream) {
  if (y.rows == 0 || y.cols == 0) return;
  launch(segment_max_kernel, warp_per_segment_shape(y.rows, y.cols), stream, segments, Rows(x),
         y.cols, Rows(y), Rows(rows));
}

inline void segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                                 FloatView d_x, Stream stream) {
  fill(d_x, 0.0F, stream);
  map_elements(ScatterMax{Rows(rows), Rows(d_y), Rows(d_x)}, d_y.rows, d_y.cols, stream);
}

inline void running_sum(TimeOrder order, const DeviceSegments& segments, float decay,
                        ConstFloatView x, FloatView y, Stream stream) {
  if (y.rows == 0 || y.cols == 0) return;
  launch(running_sum_kernel, warp_per_segment_shape(segments.num_segments, y.cols), stream,
         order == TimeOrder::backward, segments, decay, Rows(x), y.cols, Rows(y));
}

}  // namespace penchant::kernels::cuda
