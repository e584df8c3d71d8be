// SPDX-License-Identifier: Apache-2.0
// Layer normalisation and its backward: two passes over a row that stays in L1. See the kernels'
// comments below.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

namespace {

constexpr float kVarianceFloor = 1e-5F;
/// Rows per block of the sums over rows; blocks are added in order, so that the result does not
/// depend on the thread count.
constexpr std::int64_t kSumBlock = 256;

}  // namespace

// layer_norm: each row moved to mean 0 and scaled to variance 1, then an affine map of its columns.
// Computes    mean = sum_j x_j / D, var = sum_j (x_j - mean)^2 / D, inverse = 1 / sqrt(var + 1e-5),
//             unit = (x - mean) inverse, y = gain unit + bias
// Shapes      x, unit, y [N x D], gain, bias [D], inverse_deviations [N], float32 row-major
// Mapping     rows are divided among threads, columns are vectorised by the compiler
// Memory      reads 4 D, writes 8 D bytes a row: bandwidth-bound
// Regime      any
// Numerics    float32; the variance from differences, which does not cancel; deterministic; bound
//             in docs/numerics.md
// Edge cases  a constant row has unit 0; D = 0 and N = 0 return at once
// Source      Ba, Kiros and Hinton 2016, "Layer normalization", eq. 3
// Measured    not yet measured by itself
void CpuBackend::layer_norm(ConstFloatView x, VectorView<const float> gain,
                            VectorView<const float> bias, FloatView unit,
                            VectorView<float> inverse_deviations, FloatView y) {
  const ThreadScope threads(num_threads_);
  check_layer_norm(Device::cpu, x, gain, bias, unit, inverse_deviations, y);
  const std::int64_t width = x.cols;
  if (width == 0) return;
  const auto count = static_cast<float>(width);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const float* from = x.row(i);
    float* normal = unit.row(i);
    float* to = y.row(i);
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = 0; j < width; ++j) sum += from[j];
    const float mean = sum / count;
    float squares = 0.0F;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t j = 0; j < width; ++j) squares += (from[j] - mean) * (from[j] - mean);
    const float inverse = 1.0F / std::sqrt(squares / count + kVarianceFloor);
    inverse_deviations[i] = inverse;
#pragma omp simd
    for (std::int64_t j = 0; j < width; ++j) {
      const float value = (from[j] - mean) * inverse;
      normal[j] = value;
      to[j] = gain[j] * value + bias[j];
    }
  }
}

// layer_norm_backward: gradients of layer_norm.
// Computes    g = gain d_y, d_x = inverse (g - mean(g) - unit mean(g unit)), d_gain += sum_i d_y
//             unit, d_bias += sum_i d_y
// Shapes      as forward; d_x may be d_y
// Mapping     blocks of 256 rows are divided among threads; their sums are added in block order
// Memory      reads 8 D, writes 4 D bytes a row
// Regime      any
// Numerics    float32, deterministic; bound in docs/numerics.md
// Edge cases  D = 0 and N = 0 return at once
// Source      the derivative of the above; checked by central differences
// Measured    not yet measured by itself
void CpuBackend::layer_norm_backward(ConstFloatView unit,
                                     VectorView<const float> inverse_deviations,
                                     VectorView<const float> gain, ConstFloatView d_y,
                                     FloatView d_x, VectorView<float> d_gain,
                                     VectorView<float> d_bias) {
  const ThreadScope threads(num_threads_);
  check_layer_norm_backward(Device::cpu, unit, inverse_deviations, gain, d_y, d_x, d_gain, d_bias);
  const std::int64_t width = unit.cols;
  if (width == 0) return;
  const std::int64_t blocks = (unit.rows + kSumBlock - 1) / kSumBlock;
  const FloatView sums = scratch(row_sums_, 2 * blocks, width).view();
  const auto count = static_cast<float>(width);
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < blocks; ++block) {
    float* gain_sums = sums.row(2 * block);
    float* bias_sums = sums.row(2 * block + 1);
    std::fill_n(gain_sums, width, 0.0F);
    std::fill_n(bias_sums, width, 0.0F);
    const std::int64_t end = std::min(unit.rows, (block + 1) * kSumBlock);
    for (std::int64_t i = block * kSumBlock; i < end; ++i) {
      const float* normal = unit.row(i);
      const float* gradient = d_y.row(i);
      float* to = d_x.row(i);
      float level = 0.0F;
      float slope = 0.0F;
#pragma omp simd reduction(+ : level, slope)
      for (std::int64_t j = 0; j < width; ++j) {
        gain_sums[j] += gradient[j] * normal[j];
        bias_sums[j] += gradient[j];
        level += gain[j] * gradient[j];
        slope += gain[j] * gradient[j] * normal[j];
      }
      level /= count;
      slope /= count;
      const float inverse = inverse_deviations[i];
#pragma omp simd
      for (std::int64_t j = 0; j < width; ++j)
        to[j] = inverse * (gain[j] * gradient[j] - level - normal[j] * slope);
    }
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t j = 0; j < width; ++j) {
      d_gain[j] += sums(2 * block, j);
      d_bias[j] += sums(2 * block + 1, j);
    }
  }
}

}  // namespace penchant::kernels
