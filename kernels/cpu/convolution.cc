// SPDX-License-Identifier: Apache-2.0
// Causal convolution over time: one product a tap, of rows shifted within their sequences. See the
// kernels' comments below.
#include <algorithm>

#include <omp.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

namespace {

/// Rows of a tile: with 64 columns 64 KiB.
constexpr std::int64_t kTileRows = 256;
/// Columns of one task of the weight's gradient.
constexpr std::int64_t kTaskCols = 64;

/// to_i = from_(first + i + shift) where that is a row of the same sequence as first + i, else 0.
void copy_shifted(const Segments& segments, ConstFloatView from, std::int64_t first,
                  std::int64_t shift, FloatView to) {
  const auto& offsets = segments.offsets;
  auto end = std::upper_bound(offsets.begin(), offsets.end(), first);
  for (std::int64_t i = 0; i < to.rows; ++i) {
    const std::int64_t row = first + i;
    while (*end <= row) ++end;  // past empty sequences, too
    const std::int64_t source = row + shift;
    if (source >= *(end - 1) && source < *end)
      std::copy_n(from.row(source), to.cols, to.row(i));
    else
      std::fill_n(to.row(i), to.cols, 0.0F);
  }
}

}  // namespace

// convolution_forward: each step from the `width` steps up to it.
// Computes    y_t = bias + sum_(k < width) x_(t-k) W_k, x before the start of a sequence = 0
// Shapes      x [S x F], weight [width F x H], bias [H], y [S x H], float32 row-major
// Mapping     tiles of 256 rows are divided among threads; a tap copies its shifted rows (tap 0
//             reads x itself), then one sgemm adds to y
// Memory      2 S width F H flops; the copy moves 8 F bytes a row and tap, in L2
// Regime      H of some tens: the copy costs 1 / H of the product
// Numerics    float32; taps are added in order; deterministic; bound (width F + 4) eps sum|terms|
// Edge cases  sequences shorter than the width, empty ones; S = 0 returns at once
// Source      Caser's horizontal filters (Tang and Wang 2018), made causal; own derivation
// Measured    not yet measured by itself
void CpuBackend::convolution_forward(const Segments& segments, std::int64_t width, ConstFloatView x,
                                     ConstFloatView weight, VectorView<const float> bias,
                                     FloatView y) {
  const ThreadScope threads(num_threads_);
  check_convolution_forward(Device::cpu, segments, width, x, weight, bias, y);
  const std::int64_t features = x.cols;
  const FloatView buffers =
      scratch(convolution_rows_, omp_get_max_threads() * kTileRows, features).view();
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t first = 0; first < x.rows; first += kTileRows) {
    const std::int64_t rows = std::min(kTileRows, x.rows - first);
    const FloatView out = y.rows_of(first, rows);
    for (std::int64_t i = 0; i < rows; ++i) std::copy_n(bias.data, bias.size, out.row(i));
    gemm_tile(Transpose::no, Transpose::no, 1.0F, x.rows_of(first, rows),
              weight.rows_of(0, features), 1.0F, out);
    const FloatView shifted =
        buffers.rows_of(omp_get_thread_num() * kTileRows, rows).cols_of(0, features);
    for (std::int64_t k = 1; k < width; ++k) {
      copy_shifted(segments, x, first, -k, shifted);
      gemm_tile(Transpose::no, Transpose::no, 1.0F, shifted, weight.rows_of(k * features, features),
                1.0F, out);
    }
  }
}

// convolution_backward: gradients of a convolution.
// Computes    d_x_t = sum_k d_y_(t+k) W_k', d_W_k += sum_t x_(t-k)' d_y_t, d_bias += sum_t d_y_t
// Shapes      as forward
// Mapping     d_x by tiles of rows as forward; d_weight by tasks of one tap and 64 columns, each a
//             chain of sgemm calls over the tiles
// Memory      4 S width F H flops
// Regime      as forward
// Numerics    float32; rows are added in order of tiles; deterministic; bound (S + 4) eps
//             sum|terms| for the weight
// Edge cases  as forward
// Source      own derivation, checked by central differences
// Measured    not yet measured by itself
void CpuBackend::convolution_backward(const Segments& segments, std::int64_t width,
                                      ConstFloatView x, ConstFloatView weight, ConstFloatView d_y,
                                      FloatView d_x, FloatView d_weight, VectorView<float> d_bias) {
  const ThreadScope threads(num_threads_);
  check_convolution_backward(Device::cpu, segments, width, x, weight, d_y, d_x, d_weight, d_bias);
  const std::int64_t features = x.cols;
  const std::int64_t outputs = d_y.cols;
  add_column_sums(d_y, d_bias);
  const FloatView buffers =
      scratch(convolution_rows_, omp_get_max_threads() * kTileRows, std::max(features, outputs))
          .view();
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t first = 0; first < x.rows; first += kTileRows) {
    const std::int64_t rows = std::min(kTileRows, x.rows - first);
    const FloatView shifted =
        buffers.rows_of(omp_get_thread_num() * kTileRows, rows).cols_of(0, outputs);
    for (std::int64_t k = 0; k < width; ++k) {
      if (k > 0) copy_shifted(segments, d_y, first, k, shifted);
      gemm_tile(Transpose::no, Transpose::yes, 1.0F,
                k == 0 ? d_y.rows_of(first, rows) : ConstFloatView(shifted),
                weight.rows_of(k * features, features), k == 0 ? 0.0F : 1.0F,
                d_x.rows_of(first, rows));
    }
  }
  const std::int64_t col_tasks = (outputs + kTaskCols - 1) / kTaskCols;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t task = 0; task < width * col_tasks; ++task) {
    const std::int64_t k = task / col_tasks;
    const std::int64_t col = task % col_tasks * kTaskCols;
    const std::int64_t cols = std::min(kTaskCols, outputs - col);
    const FloatView sums = d_weight.rows_of(k * features, features).cols_of(col, cols);
    for (std::int64_t first = 0; first < x.rows; first += kTileRows) {
      const std::int64_t rows = std::min(kTileRows, x.rows - first);
      const FloatView shifted =
          buffers.rows_of(omp_get_thread_num() * kTileRows, rows).cols_of(0, features);
      if (k > 0) copy_shifted(segments, x, first, -k, shifted);
      gemm_tile(Transpose::yes, Transpose::no, 1.0F,
                k == 0 ? x.rows_of(first, rows) : ConstFloatView(shifted),
                d_y.rows_of(first, rows).cols_of(col, cols), 1.0F, sums);
    }
  }
}

}  // namespace penchant::kernels
