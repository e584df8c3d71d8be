// SPDX-License-Identifier: Apache-2.0
// Dense products: fixed tiles of C, each one single-threaded call of oneDNN's sgemm, tiles in
// parallel. The tiling depends on the shapes only, so the bits do not depend on the number of
// threads (docs/decisions/0005-fixed-gemm-tiles.md); why oneDNN: docs/decisions/0009.
#include <algorithm>

#include <dnnl.h>

#include "kernels/cpu/activate.h"
#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace penchant::kernels {

namespace {

constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kTileCols = 512;
/// A product with one tile of C and a long inner dimension (the gradient of a weight) is cut along
/// it.
constexpr std::int64_t kInnerChunk = 1024;

ConstFloatView op_rows(Transpose transpose, ConstFloatView a, std::int64_t first,
                       std::int64_t count) {
  return transpose == Transpose::no ? a.rows_of(first, count) : a.cols_of(first, count);
}
ConstFloatView op_cols(Transpose transpose, ConstFloatView a, std::int64_t first,
                       std::int64_t count) {
  return transpose == Transpose::no ? a.cols_of(first, count) : a.rows_of(first, count);
}

/// y = act(y + bias), bias of y's columns.
void finish_layer(const LayerEnd& end, std::int64_t first_col, FloatView y) {
  const float* bias = end.bias.data + first_col;
  with_activation(end.activation, [&](auto act) {
    for (std::int64_t i = 0; i < y.rows; ++i) {
      float* row = y.row(i);
      for (std::int64_t j = 0; j < y.cols; ++j) row[j] = activate(act, row[j] + bias[j]);
    }
  });
}

}  // namespace

void gemm_tile(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
               ConstFloatView b, float beta, FloatView c) {
  const std::int64_t inner = transpose_a == Transpose::no ? a.cols : a.rows;
  if (c.rows == 0 || c.cols == 0) return;
  if (inner == 0) {  // which oneDNN refuses
    for (std::int64_t i = 0; i < c.rows; ++i) {
      for (std::int64_t j = 0; j < c.cols; ++j) c(i, j) = beta == 0.0F ? 0.0F : beta * c(i, j);
    }
    return;
  }
  // Inside a parallel region oneDNN takes one thread, as every caller wants.
  const dnnl_status_t status = dnnl_sgemm(
      transpose_a == Transpose::no ? 'N' : 'T', transpose_b == Transpose::no ? 'N' : 'T', c.rows,
      c.cols, inner, alpha, a.data, std::max<std::int64_t>(a.stride, 1), b.data,
      std::max<std::int64_t>(b.stride, 1), beta, c.data, std::max<std::int64_t>(c.stride, 1));
  PENCHANT_ASSERT(status == dnnl_success);  // the shapes were checked
}

void CpuBackend::gemm(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
                      ConstFloatView b, float beta, FloatView c) {
  const ThreadScope threads(num_threads_);
  const std::int64_t inner = transpose_a == Transpose::no ? a.cols : a.rows;
  const bool flip_a = transpose_a == Transpose::yes;
  const bool flip_b = transpose_b == Transpose::yes;
  require_shape("gemm", "a", a, flip_a ? inner : c.rows, flip_a ? c.rows : inner);
  require_shape("gemm", "b", b, flip_b ? c.cols : inner, flip_b ? inner : c.cols);
  require_shape("gemm", "c", c, c.rows, c.cols);
  gemm_tiles(transpose_a, transpose_b, alpha, a, b, beta, c, nullptr);
}

// A tile is finished while it is in the cache.
void CpuBackend::linear(ConstFloatView x, ConstFloatView weight, VectorView<const float> bias,
                        Activation act, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("linear", "x", x);
  require_shape("linear", "weight", weight, x.cols, weight.cols);
  require_size("linear", "bias", bias, weight.cols);
  require_shape("linear", "y", y, x.rows, weight.cols);
  const LayerEnd end{bias, act};
  gemm_tiles(Transpose::no, Transpose::no, 1.0F, x, weight, 0.0F, y, &end);
}

void CpuBackend::gemm_tiles(Transpose transpose_a, Transpose transpose_b, float alpha,
                            ConstFloatView a, ConstFloatView b, float beta, FloatView c,
                            const LayerEnd* end) {
  if (c.rows == 0 || c.cols == 0) return;
  const std::int64_t inner = transpose_a == Transpose::no ? a.cols : a.rows;
  const std::int64_t row_tiles = (c.rows + kTileRows - 1) / kTileRows;
  const std::int64_t col_tiles = (c.cols + kTileCols - 1) / kTileCols;
  if (row_tiles * col_tiles == 1 && inner >= 2 * kInnerChunk) {
    const std::int64_t chunks = (inner + kInnerChunk - 1) / kInnerChunk;
    const FloatView parts = scratch(gemm_parts_, chunks * c.rows, c.cols).view().cols_of(0, c.cols);
#pragma omp parallel for schedule(dynamic, 1)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t first = chunk * kInnerChunk;
      const std::int64_t count = std::min(kInnerChunk, inner - first);
      gemm_tile(transpose_a, transpose_b, alpha, op_cols(transpose_a, a, first, count),
                op_rows(transpose_b, b, first, count), 0.0F, parts.rows_of(chunk * c.rows, c.rows));
    }
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      axpby(1.0F, parts.rows_of(chunk * c.rows, c.rows), chunk == 0 ? beta : 1.0F, c);
    }
    if (end != nullptr) finish_layer(*end, 0, c);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) collapse(2)
  for (std::int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
    for (std::int64_t col_tile = 0; col_tile < col_tiles; ++col_tile) {
      const std::int64_t row = row_tile * kTileRows;
      const std::int64_t col = col_tile * kTileCols;
      const std::int64_t num_rows = std::min(kTileRows, c.rows - row);
      const std::int64_t num_cols = std::min(kTileCols, c.cols - col);
      const FloatView tile = c.rows_of(row, num_rows).cols_of(col, num_cols);
      gemm_tile(transpose_a, transpose_b, alpha, op_rows(transpose_a, a, row, num_rows),
                op_cols(transpose_b, b, col, num_cols), beta, tile);
      if (end != nullptr) finish_layer(*end, col, tile);
    }
  }
}

}  // namespace penchant::kernels
