// SPDX-License-Identifier: Apache-2.0
// What surrounds the products of a causal convolution over time (Backend::convolution_forward):
//   unfold, fold              one product of rows of `width` inputs each, by the caller's gemm()
//   spread, collect, filters  cuDNN's convolution: sequences lie in one row of positions with
//                             width - 1 zeros between them, channel by channel
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/sequence.cuh"

namespace penchant::kernels::cuda {

namespace {

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

/// Where the rows of sequences stand in one row of positions: row t of sequence b at t + b gap +
/// lead. Inputs stand behind their gap (lead = gap), so that no sequence reads from the one before;
/// outputs and their gradients stand width - 1 places earlier (lead = 0), where a convolution that
/// pads nothing puts them.
struct SpreadRows {
  DeviceSegments segments;
  std::int64_t gap = 0;  ///< width - 1
  std::int64_t lead = 0;

  /// The row at a position, or -1 in a gap.
  __device__ std::int64_t row_at(std::int64_t position) const {
    std::int64_t first = 0;
    std::int64_t last = segments.num_segments;
    while (last - first > 1) {
      const std::int64_t middle = first + (last - first) / 2;
      if (segments.offsets[middle] + middle * gap <= position)
        first = middle;
      else
        last = middle;
    }
    const std::int64_t row = position - first * gap - lead;
    return row >= segments.offsets[first] && row < segments.offsets[first + 1] ? row : -1;
  }
  __device__ std::int64_t position_of(std::int64_t row) const {
    return row + segment_of(segments, row) * gap + lead;
  }
};

struct SpreadConfig {
  static constexpr int kTile = 32;
  static constexpr int kBlockRows = 8;
};

// spread: one channel at one position of the row that cuDNN convolves.
// Computes    to_fp = x_tf for the row t at position p, 0 in gaps and behind the last sequence
// Shapes      x [S x F] float32 row-major, any alignment; to [F x P]; offsets [B + 1] int64
// Mapping     blocks of 32 x 8 threads turn tiles of 32 positions x 32 channels in shared memory,
// so
//             that both sides are coalesced; a position's row by binary search; grid (P / 32, F /
//             32)
// Memory      4.1 KiB shared, rows of 33 against bank conflicts; 8 bytes an element: bound by
// device
//             memory
// Regime      B (width - 1) small beside S
// Numerics    exact
// Edge cases  empty sequences are a gap; the last tiles may be narrow
// Source      own; turning as transpose_scores
// Measured    not yet measured
__global__ void __launch_bounds__(SpreadConfig::kTile* SpreadConfig::kBlockRows)
    spread_kernel(SpreadRows place, Rows<const float> x, std::int64_t positions, std::int64_t cols,
                  Rows<float> to) {
  PENCHANT_SHARED(float, square, SpreadConfig::kTile*(SpreadConfig::kTile + 1));
  const int lane = static_cast<int>(threadIdx.x);
  const int down = static_cast<int>(threadIdx.y);
  const std::int64_t first_position = std::int64_t{blockIdx.x} * SpreadConfig::kTile;
  const std::int64_t first_col = std::int64_t{blockIdx.y} * SpreadConfig::kTile;
  for (int r = down; r < SpreadConfig::kTile; r += SpreadConfig::kBlockRows) {
    if (first_position + r >= positions || first_col + lane >= cols) continue;
    const std::int64_t row = place.row_at(first_position + r);
    square[r * (SpreadConfig::kTile + 1) + lane] = row < 0 ? 0.0F : x.at(row, first_col + lane);
  }
  __syncthreads();
  for (int r = down; r < SpreadConfig::kTile; r += SpreadConfig::kBlockRows) {
    if (first_col + r < cols && first_position + lane < positions)
      to.at(first_col + r, first_position + lane) = square[lane * (SpreadConfig::kTile + 1) + r];
  }
}

// collect: one element of the rows that spread took apart.
// Computes    y_tj = from_jp (+ bias_j), p the position of row t
// Shapes      from [H x P] float32; y [S x H] row-major, any alignment; bias [H] or null
// Mapping     as spread, over tiles of 32 rows x 32 channels
// Memory      as spread
// Regime      as spread
// Numerics    one sum; deterministic
// Edge cases  as spread
// Source      as spread
// Measured    not yet measured
__global__ void __launch_bounds__(SpreadConfig::kTile* SpreadConfig::kBlockRows)
    collect_kernel(SpreadRows place, Rows<const float> from, std::int64_t rows, std::int64_t cols,
                   const float* __restrict__ bias, Rows<float> y) {
  PENCHANT_SHARED(float, square, SpreadConfig::kTile*(SpreadConfig::kTile + 1));
  const int lane = static_cast<int>(threadIdx.x);
  const int down = static_cast<int>(threadIdx.y);
  const std::int64_t first_row = std::int64_t{blockIdx.x} * SpreadConfig::kTile;
  const std::int64_t first_col = std::int64_t{blockIdx.y} * SpreadConfig::kTile;
  if (first_row + lane < rows) {
    const std::int64_t position = place.position_of(first_row + lane);
    for (int r = down; r < SpreadConfig::kTile; r += SpreadConfig::kBlockRows) {
      if (first_col + r < cols)
        square[r * (SpreadConfig::kTile + 1) + lane] = from.at(first_col + r, position);
    }
  }
  __syncthreads();
  for (int r = down; r < SpreadConfig::kTile; r += SpreadConfig::kBlockRows) {
    const std::int64_t col = first_col + lane;
    if (first_row + r >= rows || col >= cols) continue;
    const float value = square[lane * (SpreadConfig::kTile + 1) + r];
    y.at(first_row + r, col) = bias != nullptr ? value + bias[col] : value;
  }
}

/// filter_(h, f, r) = weight_(k F + f, h) with r = width - 1 - k: cuDNN multiplies the earliest
/// input by the first tap. Row h, column (f, r) of the filter [H x F x width].
struct ToFilter {
  std::int64_t width, inputs;
  Rows<const float> weight;
  float* filter;
  template <int N>
  __device__ void apply(std::int64_t h, std::int64_t j) const {
    static_assert(N == 1);
    const std::int64_t k = width - 1 - j % width;
    filter[h * inputs * width + j] = weight.at(k * inputs + j / width, h);
  }
};

/// d_weight += the gradient of the filter, turned back.
struct AddFilter {
  std::int64_t width, inputs;
  const float* filter;
  Rows<float> weight;
  template <int N>
  __device__ void apply(std::int64_t row, std::int64_t h) const {
    static_assert(N == 1);
    const std::int64_t r = width - 1 - row / inputs;
    weight.at(row, h) += filter[(h * inputs + row % inputs) * width + r];
  }
};

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

/// Backend::convolution_forward of checked operands, for a backend with dense layers. Memory keeps
/// the unfolded inputs [S x width F].
template <typename Memory>
void convolve_unfolded(Backend& backend, Memory& memory, const DeviceSegments& segments,
                       std::int64_t width, ConstFloatView x, ConstFloatView weight,
                       VectorView<const float> bias, FloatView y, Stream stream) {
  const std::int64_t cols = width * x.cols;
  const FloatView unfolded(memory.template reserve<float>(x.rows * cols), x.rows, cols, cols,
                           Device::cuda);
  unfold(segments, width, x, unfolded, stream);
  backend.linear(unfolded, weight, bias, Activation::identity, y);
}

/// Backend::convolution_backward likewise, for a backend with products, apart from the bias.
template <typename Memory>
void convolve_unfolded_backward(Backend& backend, Memory& memory, const DeviceSegments& segments,
                                std::int64_t width, ConstFloatView x, ConstFloatView weight,
                                ConstFloatView d_y, FloatView d_x, FloatView d_weight,
                                Stream stream) {
  const std::int64_t cols = width * x.cols;
  const FloatView unfolded(memory.template reserve<float>(x.rows * cols), x.rows, cols, cols,
                           Device::cuda);
  unfold(segments, width, x, unfolded, stream);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, unfolded, d_y, 1.0F, d_weight);
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, d_y, weight, 0.0F, unfolded);
  fold(segments, width, unfolded, d_x, stream);
}

/// Positions of all sequences, inputs or outputs; what is spread over more is zero there.
inline std::int64_t spread_size(std::int64_t rows, std::int64_t num_segments, std::int64_t width) {
  return rows + num_segments * (width - 1);
}

/// to [F x P] from x [S x F]. Inputs: lead = width - 1; gradients of outputs: lead = 0.
inline void spread(const DeviceSegments& segments, std::int64_t width, std::int64_t lead,
                   ConstFloatView x, FloatView to, Stream stream) {
  if (to.rows == 0 || to.cols == 0) return;
  launch(spread_kernel,
         {dim3(grid_x(ceil_div(to.cols, SpreadConfig::kTile)),
               grid_y(ceil_div(to.rows, SpreadConfig::kTile))),
          dim3(SpreadConfig::kTile, SpreadConfig::kBlockRows)},
         stream, SpreadRows{segments, width - 1, lead}, Rows(x), to.cols, to.rows, Rows(to));
}

/// y [S x H] from [H x P], plus bias unless it is empty.
inline void collect(const DeviceSegments& segments, std::int64_t width, std::int64_t lead,
                    ConstFloatView from, VectorView<const float> bias, FloatView y, Stream stream) {
  if (y.rows == 0 || y.cols == 0) return;
  launch(collect_kernel,
         {dim3(grid_x(ceil_div(y.rows, SpreadConfig::kTile)),
               grid_y(ceil_div(y.cols, SpreadConfig::kTile))),
          dim3(SpreadConfig::kTile, SpreadConfig::kBlockRows)},
         stream, SpreadRows{segments, width - 1, lead}, Rows(from), y.rows, y.cols, bias.data,
         Rows(y));
}

/// filter [H x F x width] from weight [width F x H].
inline void to_filter(std::int64_t width, ConstFloatView weight, float* filter, Stream stream) {
  const std::int64_t inputs = weight.rows / width;
  map_elements(ToFilter{width, inputs, Rows(weight), filter}, weight.cols, weight.rows, stream);
}

/// weight += filter, in the filter's order.
inline void add_filter(std::int64_t width, const float* filter, FloatView weight, Stream stream) {
  const std::int64_t inputs = weight.rows / width;
  map_elements(AddFilter{width, inputs, filter, Rows(weight)}, weight.rows, weight.cols, stream);
}

}  // namespace penchant::kernels::cuda
