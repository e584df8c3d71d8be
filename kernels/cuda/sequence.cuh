// SPDX-License-Identifier: Apache-2.0
// Kernels of sequence models on the device that no vendor library has: maximum over a sequence,
// running sums. Sequences lie one after another; `offsets` [B + 1] is in device memory.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/segments.h"

namespace penchant::kernels::cuda {

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
