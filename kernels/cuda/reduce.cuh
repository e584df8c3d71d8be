// SPDX-License-Identifier: Apache-2.0
// Sums along rows and columns on the device, and what is built on them: row norms, layer
// normalisation, bias gradients. A row is a warp's; columns are summed in two passes over fixed
// blocks of rows, so that the order never depends on the device.
#pragma once

#include "kernels/cuda/device.cuh"

namespace penchant::kernels::cuda {

namespace {

struct ReduceConfig {
  static constexpr int kBlockWarps = 8;
  /// Rows that one block of a column sum adds at least, and blocks at most.
  static constexpr std::int64_t kChunkRows = 256;
  static constexpr std::int64_t kMaxChunks = 512;
  static constexpr float kSmallestNorm = 1e-12F;
  static constexpr float kVarianceFloor = 1e-5F;
};

/// Rows of one chunk of a column sum over `rows` rows: a function of the shape alone.
inline std::int64_t chunk_rows(std::int64_t rows) {
  return std::max(ReduceConfig::kChunkRows, ceil_div(rows, ReduceConfig::kMaxChunks));
}

inline LaunchShape warp_per_row_shape(std::int64_t rows) {
  return {dim3(grid_x(ceil_div(rows, ReduceConfig::kBlockWarps))),
          dim3(kWarpSize, ReduceConfig::kBlockWarps)};
}

__device__ __forceinline__ std::int64_t row_of_warp() {
  return std::int64_t{blockIdx.x} * ReduceConfig::kBlockWarps + threadIdx.y;
}

/// sum_j term(j), the same bits in every lane: lane l adds every 32nd term from l on, then lanes in
/// pairs.
template <typename Term>
__device__ __forceinline__ float row_sum(std::int64_t cols, Term term) {
  float sum = 0.0F;
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize) sum += term(j);
  return warp_sum(sum);
}

// row_dots: one inner product of two rows.
// Computes    dots_i += sum_j x_ij y_ij
// Shapes      x, y [N x D] float32 row-major, any alignment; dots [N]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps, grid N / 8
// Memory      8 D bytes a row, coalesced: bound by device memory
// Regime      D >= 32; narrower rows leave lanes idle
// Numerics    float32: 32 partial sums, then a butterfly; deterministic; bound (D + 4) eps
//             sum|terms|
// Edge cases  D = 0 adds 0
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    row_dots_kernel(Rows<const float> x, Rows<const float> y, std::int64_t rows, std::int64_t cols,
                    float* __restrict__ dots) {
  const std::int64_t i = row_of_warp();
  if (i >= rows) return;
  const float* a = x.row(i);
  const float* b = y.row(i);
  const float sum = row_sum(cols, [=](std::int64_t j) { return a[j] * b[j]; });
  if (threadIdx.x == 0) dots[i] += sum;
}

// normalize_rows: one row of unit length.
// Computes    inverse_i = 1 / max(|x_i|, 1e-12), y_i = inverse_i x_i
// Shapes      x, y [N x D] float32 row-major, any alignment, may be one; inverse_norms [N]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps
// Memory      x is read twice, the second time from L1: 8 D bytes a row
// Regime      as row_dots
// Numerics    float32; deterministic; bound (D + 4) eps |y_ij|
// Edge cases  a zero row stays zero
// Source      own; epsilon of torch.nn.functional.normalize
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    normalize_rows_kernel(Rows<const float> x, std::int64_t rows, std::int64_t cols, Rows<float> y,
                          float* __restrict__ inverse_norms) {
  const std::int64_t i = row_of_warp();
  if (i >= rows) return;
  const float* from = x.row(i);
  float* to = y.row(i);
  const float square = row_sum(cols, [=](std::int64_t j) { return from[j] * from[j]; });
  const float inverse = 1.0F / fmaxf(sqrtf(square), ReduceConfig::kSmallestNorm);
  if (threadIdx.x == 0) inverse_norms[i] = inverse;
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize) to[j] = inverse * from[j];
}

// normalize_rows_backward: one row of the gradient of normalize_rows.
// Computes    d_x_i = inverse_i (d_y_i - y_i <y_i, d_y_i>)
// Shapes      y, d_y, d_x [N x D] float32 row-major, any alignment, d_y may be d_x; inverse [N]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps
// Memory      12 D bytes a row; the second reading of y and d_y comes from L1
// Regime      as row_dots
// Numerics    float32; deterministic; bound (D + 8) eps sum|terms|
// Edge cases  none
// Source      own: quotient rule
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    normalize_rows_backward_kernel(Rows<const float> y, const float* __restrict__ inverse_norms,
                                   Rows<const float> d_y, std::int64_t rows, std::int64_t cols,
                                   Rows<float> d_x) {
  const std::int64_t i = row_of_warp();
  if (i >= rows) return;
  const float* out = y.row(i);
  const float* gradient = d_y.row(i);
  float* to = d_x.row(i);
  const float radial = row_sum(cols, [=](std::int64_t j) { return out[j] * gradient[j]; });
  const float inverse = inverse_norms[i];
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize)
    to[j] = inverse * (gradient[j] - out[j] * radial);
}

// layer_norm: one normalised row.
// Computes    unit_i = (x_i - mean_i) / sqrt(var_i + 1e-5), y_ij = gain_j unit_ij + bias_j
// Shapes      x, unit, y [N x D] float32 row-major, any alignment; gain, bias [D]; inverse [N]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps
// Memory      x is read three times, twice from L1; writes 8 D bytes a row
// Regime      D up to a few thousand
// Numerics    float32; variance from differences to the mean (two passes): no cancellation;
//             deterministic
// Edge cases  a constant row gives unit = 0, y = bias
// Source      Ba et al. 2016, "Layer normalization", eq. 3
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    layer_norm_kernel(Rows<const float> x, const float* __restrict__ gain,
                      const float* __restrict__ bias, std::int64_t rows, std::int64_t cols,
                      Rows<float> unit, float* __restrict__ inverse_deviations, Rows<float> y) {
  const std::int64_t i = row_of_warp();
  if (i >= rows) return;
  const float* from = x.row(i);
  float* unit_row = unit.row(i);
  float* to = y.row(i);
  const float share = 1.0F / static_cast<float>(cols);
  const float mean = share * row_sum(cols, [=](std::int64_t j) { return from[j]; });
  const float variance =
      share * row_sum(cols, [=](std::int64_t j) { return (from[j] - mean) * (from[j] - mean); });
  const float inverse = 1.0F / sqrtf(variance + ReduceConfig::kVarianceFloor);
  if (threadIdx.x == 0) inverse_deviations[i] = inverse;
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize) {
    const float value = inverse * (from[j] - mean);
    unit_row[j] = value;
    to[j] = gain[j] * value + bias[j];
  }
}

// layer_norm_backward: one row of the gradient of layer_norm.
// Computes    g = gain d_y_i; d_x_i = inverse_i (g - mean(g) - unit_i mean(g unit_i))
// Shapes      unit, d_y, d_x [N x D] float32 row-major, any alignment, d_y may be d_x; gain [D]
// Mapping     one warp a row, lanes strided over columns; blocks of 8 warps
// Memory      12 D bytes a row; later readings come from L1
// Regime      as layer_norm
// Numerics    float32; deterministic
// Edge cases  none
// Source      own: derivative of the three steps of layer_norm
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    layer_norm_backward_kernel(Rows<const float> unit, const float* __restrict__ inverse_deviations,
                               const float* __restrict__ gain, Rows<const float> d_y,
                               std::int64_t rows, std::int64_t cols, Rows<float> d_x) {
  const std::int64_t i = row_of_warp();
  if (i >= rows) return;
  const float* unit_row = unit.row(i);
  const float* gradient = d_y.row(i);
  float* to = d_x.row(i);
  const float share = 1.0F / static_cast<float>(cols);
  const float mean = share * row_sum(cols, [=](std::int64_t j) { return gain[j] * gradient[j]; });
  const float along =
      share * row_sum(cols, [=](std::int64_t j) { return gain[j] * gradient[j] * unit_row[j]; });
  const float inverse = inverse_deviations[i];
  for (std::int64_t j = threadIdx.x; j < cols; j += kWarpSize)
    to[j] = inverse * (gain[j] * gradient[j] - mean - unit_row[j] * along);
}

// column_chunk_sums: the sum of one column over one chunk of rows.
// Computes    partial_cj = sum_(i in chunk c) x_ij (HasFactor: x_ij y_ij)
// Shapes      x, y [N x D] float32 row-major, any alignment; partial [chunks x D]
// Mapping     a block of 32 x 8 threads owns 32 columns of a chunk of rows: thread (j, r) adds rows
//             r, r + 8, ...; 8 sums a column meet in shared memory. Grid (chunks, columns / 32)
// Memory      1 KiB shared; 4 D bytes a row (HasFactor: 8 D), 128 bytes a warp access
// Regime      any; at most 512 chunks of at least 256 rows
// Numerics    float32, order fixed by the shape: deterministic; bound (N + 4) eps sum|terms|
// Edge cases  the last chunk and the last columns may be short
// Source      own
// Measured    not yet measured
template <bool HasFactor>
__global__ void __launch_bounds__(kWarpSize* ReduceConfig::kBlockWarps)
    column_chunk_sums_kernel(Rows<const float> x, Rows<const float> y, std::int64_t rows,
                             std::int64_t cols, std::int64_t rows_of_chunk,
                             float* __restrict__ partial) {
  PENCHANT_SHARED(float, lane_sums, kWarpSize* ReduceConfig::kBlockWarps);
  const int lane = static_cast<int>(threadIdx.x);
  const int down = static_cast<int>(threadIdx.y);
  const std::int64_t j = std::int64_t{blockIdx.y} * kWarpSize + lane;
  const std::int64_t first = std::int64_t{blockIdx.x} * rows_of_chunk;
  const std::int64_t last = first + rows_of_chunk < rows ? first + rows_of_chunk : rows;
  float sum = 0.0F;
  if (j < cols) {
    for (std::int64_t i = first + down; i < last; i += ReduceConfig::kBlockWarps)
      sum += HasFactor ? x.at(i, j) * y.at(i, j) : x.at(i, j);
  }
  lane_sums[down * kWarpSize + lane] = sum;
  __syncthreads();
  if (down != 0 || j >= cols) return;
  for (int r = 1; r < ReduceConfig::kBlockWarps; ++r) sum += lane_sums[r * kWarpSize + lane];
  partial[blockIdx.x * cols + j] = sum;
}

// add_chunk_sums: one column sum.
// Computes    sums_j += sum_c partial_cj
// Shapes      partial [chunks x D] float32, sums [D]
// Mapping     one thread a column, chunks in order; blocks of 256 threads
// Memory      4 bytes a chunk and column, coalesced; 1/256 of the first pass
// Regime      at most 512 chunks
// Numerics    float32 in chunk order: deterministic
// Edge cases  none
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(256)
    add_chunk_sums_kernel(const float* __restrict__ partial, std::int64_t chunks, std::int64_t cols,
                          float* __restrict__ sums) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= cols) return;
  float sum = 0.0F;
  for (std::int64_t c = 0; c < chunks; ++c) sum += partial[c * cols + j];
  sums[j] += sum;
}

}  // namespace

/// Floats of scratch that sums over the columns of a [rows x cols] matrix need.
inline std::int64_t column_sums_scratch_size(std::int64_t rows, std::int64_t cols) {
  return rows == 0 ? 0 : ceil_div(rows, chunk_rows(rows)) * cols;
}

inline void add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots,
                         Stream stream) {
  if (x.rows == 0 || x.cols == 0) return;
  launch(row_dots_kernel, warp_per_row_shape(x.rows), stream, Rows(x), Rows(y), x.rows, x.cols,
         dots.data);
}

inline void normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms,
                           Stream stream) {
  if (x.rows == 0) return;
  launch(normalize_rows_kernel, warp_per_row_shape(x.rows), stream, Rows(x), x.rows, x.cols,
         Rows(y), inverse_norms.data);
}

inline void normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                                    ConstFloatView d_y, FloatView d_x, Stream stream) {
  if (y.rows == 0 || y.cols == 0) return;
  launch(normalize_rows_backward_kernel, warp_per_row_shape(y.rows), stream, Rows(y),
         inverse_norms.data, Rows(d_y), y.rows, y.cols, Rows(d_x));
}

/// sums_j += sum_i x_ij, or sum_i x_ij y_ij if y is given.
inline void add_column_sums(ConstFloatView x, ConstFloatView y, VectorView<float> sums,
                            VectorView<float> scratch, Stream stream) {
  if (x.rows == 0 || x.cols == 0) return;
  const std::int64_t rows_of_chunk = chunk_rows(x.rows);
  const std::int64_t chunks = ceil_div(x.rows, rows_of_chunk);
  const LaunchShape shape{dim3(grid_x(chunks), grid_y(ceil_div(x.cols, kWarpSize))),
                          dim3(kWarpSize, ReduceConfig::kBlockWarps)};
  launch(y.data != nullptr ? column_chunk_sums_kernel<true> : column_chunk_sums_kernel<false>,
         shape, stream, Rows(x), Rows(y), x.rows, x.cols, rows_of_chunk, scratch.data);
  launch(add_chunk_sums_kernel, {dim3(grid_x(ceil_div(x.cols, 256))), dim3(256)}, stream,
         scratch.data, chunks, x.cols, sums.data);
}

inline void add_column_sums(ConstFloatView x, VectorView<float> sums, VectorView<float> scratch,
                            Stream stream) {
  add_column_sums(x, ConstFloatView(), sums, scratch, stream);
}

inline void layer_norm(ConstFloatView x, VectorView<const float> gain, VectorView<const float> bias,
                       FloatView unit, VectorView<float> inverse_deviations, FloatView y,
                       Stream stream) {
  if (x.rows == 0 || x.cols == 0) return;
  launch(layer_norm_kernel, warp_per_row_shape(x.rows), stream, Rows(x), gain.data, bias.data,
         x.rows, x.cols, Rows(unit), inverse_deviations.data, Rows(y));
}

/// scratch: column_sums_scratch_size floats. The sums are taken before d_x, which may be d_y, is
/// written.
inline void layer_norm_backward(ConstFloatView unit, VectorView<const float> inverse_deviations,
                                VectorView<const float> gain, ConstFloatView d_y, FloatView d_x,
                                VectorView<float> d_gain, VectorView<float> d_bias,
                                VectorView<float> scratch, Stream stream) {
  if (unit.rows == 0 || unit.cols == 0) return;
  add_column_sums(d_y, unit, d_gain, scratch, stream);
  add_column_sums(d_y, d_bias, scratch, stream);
  launch(layer_norm_backward_kernel, warp_per_row_shape(unit.rows), stream, Rows(unit),
         inverse_deviations.data, gain.data, Rows(d_y), unit.rows, unit.cols, Rows(d_x));
}

}  // namespace penchant::kernels::cuda
