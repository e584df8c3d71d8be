// SPDX-License-Identifier: Apache-2.0
// Element by element and row by row: bandwidth-bound loops that the compiler vectorises; rows are
// divided among threads.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/activate.h"
#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

namespace {

constexpr float kSmallestNorm = 1e-12F;
/// Rows per block of a sum over rows; blocks are added in order, so the result does not depend on
/// the thread count.
constexpr std::int64_t kSumBlock = 1024;

/// Calls function(x_i, y_i, cols) for each row in parallel.
template <typename RowFunction>
void for_each_row(ConstFloatView x, FloatView y, RowFunction function) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.rows; ++i) function(i, x.row(i), y.row(i));
}

/// act'(x) from y = act(x).
float slope(Activation act, float y) {
  switch (act) {
    case Activation::identity:
      return 1.0F;
    case Activation::relu:
      return y > 0.0F ? 1.0F : 0.0F;
    case Activation::leaky_relu:
      return y > 0.0F ? 1.0F : kLeakySlope;
    case Activation::sigmoid:
      return y * (1.0F - y);
    case Activation::tanh:
      return 1.0F - y * y;
  }
  return 1.0F;
}

float dot(const float* a, const float* b, std::int64_t size) {
  float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < size; ++j) sum += a[j] * b[j];
  return sum;
}

}  // namespace

void CpuBackend::axpby(float alpha, ConstFloatView x, float beta, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("axpby", "x", x);
  require_shape("axpby", "y", y, x.rows, x.cols);
  for_each_row(x, y, [=](std::int64_t, const float* from, float* to) {
    if (beta == 0.0F) {
      for (std::int64_t j = 0; j < x.cols; ++j) to[j] = alpha * from[j];
    } else {
      for (std::int64_t j = 0; j < x.cols; ++j) to[j] = alpha * from[j] + beta * to[j];
    }
  });
}

void CpuBackend::multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta,
                          FloatView z) {
  const ThreadScope threads(num_threads_);
  require_host("multiply", "x", x);
  require_shape("multiply", "y", y, x.rows, x.cols);
  require_shape("multiply", "z", z, x.rows, x.cols);
  for_each_row(x, z, [=](std::int64_t i, const float* left, float* to) {
    const float* right = y.row(i);
    if (beta == 0.0F) {
      for (std::int64_t j = 0; j < x.cols; ++j) to[j] = alpha * left[j] * right[j];
    } else {
      for (std::int64_t j = 0; j < x.cols; ++j) to[j] = alpha * left[j] * right[j] + beta * to[j];
    }
  });
}

void CpuBackend::add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("add_bias", "x", x);
  require_size("add_bias", "bias", bias, x.cols);
  require_shape("add_bias", "y", y, x.rows, x.cols);
  for_each_row(x, y, [=](std::int64_t, const float* from, float* to) {
    for (std::int64_t j = 0; j < x.cols; ++j) to[j] = from[j] + bias[j];
  });
}

void CpuBackend::add_column_sums(ConstFloatView x, VectorView<float> sums) {
  const ThreadScope threads(num_threads_);
  require_host("add_column_sums", "x", x);
  require_size("add_column_sums", "sums", sums, x.cols);
  const std::int64_t blocks = (x.rows + kSumBlock - 1) / kSumBlock;
  const FloatView partial = scratch(row_sums_, blocks, x.cols).view();
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < blocks; ++block) {
    float* sum = partial.row(block);
    std::fill_n(sum, x.cols, 0.0F);
    for (std::int64_t i = block * kSumBlock; i < std::min(x.rows, (block + 1) * kSumBlock); ++i) {
      for (std::int64_t j = 0; j < x.cols; ++j) sum[j] += x(i, j);
    }
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t j = 0; j < x.cols; ++j) sums[j] += partial(block, j);
  }
}

void CpuBackend::scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("scale_rows", "x", x);
  require_size("scale_rows", "scale", scale, x.rows);
  require_shape("scale_rows", "y", y, x.rows, x.cols);
  for_each_row(x, y, [=](std::int64_t i, const float* from, float* to) {
    for (std::int64_t j = 0; j < x.cols; ++j) to[j] = scale[i] * from[j];
  });
}

void CpuBackend::add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) {
  const ThreadScope threads(num_threads_);
  require_host("add_row_dots", "x", x);
  require_shape("add_row_dots", "y", y, x.rows, x.cols);
  require_size("add_row_dots", "dots", dots, x.rows);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.rows; ++i) dots[i] += dot(x.row(i), y.row(i), x.cols);
}

void CpuBackend::activation(Activation act, ConstFloatView x, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("activation", "x", x);
  require_shape("activation", "y", y, x.rows, x.cols);
  for_each_row(x, y, [=](std::int64_t, const float* from, float* to) {
    with_activation(act, [=](auto kind) {
      for (std::int64_t j = 0; j < x.cols; ++j) to[j] = activate(kind, from[j]);
    });
  });
}

void CpuBackend::activation_backward(Activation act, ConstFloatView y, ConstFloatView d_y,
                                     FloatView d_x) {
  const ThreadScope threads(num_threads_);
  require_host("activation_backward", "y", y);
  require_shape("activation_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("activation_backward", "d_x", d_x, y.rows, y.cols);
  for_each_row(y, d_x, [=](std::int64_t i, const float* out, float* to) {
    const float* gradient = d_y.row(i);
    with_activation(act, [=](auto kind) {
      for (std::int64_t j = 0; j < y.cols; ++j) to[j] = gradient[j] * slope(kind, out[j]);
    });
  });
}

void CpuBackend::normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) {
  const ThreadScope threads(num_threads_);
  require_host("normalize_rows", "x", x);
  require_shape("normalize_rows", "y", y, x.rows, x.cols);
  require_size("normalize_rows", "inverse_norms", inverse_norms, x.rows);
  for_each_row(x, y, [=](std::int64_t i, const float* from, float* to) {
    const float inverse = 1.0F / std::max(std::sqrt(dot(from, from, x.cols)), kSmallestNorm);
    inverse_norms[i] = inverse;
    for (std::int64_t j = 0; j < x.cols; ++j) to[j] = inverse * from[j];
  });
}

void CpuBackend::normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                                         ConstFloatView d_y, FloatView d_x) {
  const ThreadScope threads(num_threads_);
  require_host("normalize_rows_backward", "y", y);
  require_size("normalize_rows_backward", "inverse_norms", inverse_norms, y.rows);
  require_shape("normalize_rows_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("normalize_rows_backward", "d_x", d_x, y.rows, y.cols);
  for_each_row(y, d_x, [=](std::int64_t i, const float* out, float* to) {
    const float* gradient = d_y.row(i);
    const float radial = dot(out, gradient, y.cols);
    for (std::int64_t j = 0; j < y.cols; ++j)
      to[j] = inverse_norms[i] * (gradient[j] - out[j] * radial);
  });
}

void CpuBackend::adam_step(const AdamOptions& options, ConstFloatView gradient, FloatView parameter,
                           FloatView first_moment, FloatView second_moment) {
  const ThreadScope threads(num_threads_);
  check_adam_step(Device::cpu, options, gradient, parameter, first_moment, second_moment);
  // Bias corrections folded into two scalars (Kingma and Ba 2015, end of section 2).
  const double step = static_cast<double>(options.step);
  const double correction1 = 1.0 - std::pow(static_cast<double>(options.beta1), step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(options.beta2), step);
  const auto rate = static_cast<float>(options.learning_rate / correction1);
  const auto inverse_root = static_cast<float>(1.0 / std::sqrt(correction2));
  const AdamOptions o = options;
  for_each_row(gradient, parameter, [=](std::int64_t i, const float* from, float* weight) {
    float* first = first_moment.row(i);
    float* second = second_moment.row(i);
#pragma omp simd
    for (std::int64_t j = 0; j < parameter.cols; ++j) {
      const float g = from[j] + o.l2 * weight[j];
      first[j] = o.beta1 * first[j] + (1.0F - o.beta1) * g;
      second[j] = o.beta2 * second[j] + (1.0F - o.beta2) * g * g;
      weight[j] -= rate * first[j] / (std::sqrt(second[j]) * inverse_root + o.epsilon);
    }
  });
}

}  // namespace penchant::kernels
