// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/elementwise.h"

#include <algorithm>
#include <cmath>

namespace penchant::oracle {

using kernels::Activation;

namespace {

constexpr double kSmallestNorm = 1e-12;
constexpr double kLeakySlope = 0.2;

double norm(const Dense& x, std::int64_t i) {
  double squares = 0.0;
  for (std::int64_t j = 0; j < x.cols; ++j) squares += x(i, j) * x(i, j);
  return std::max(std::sqrt(squares), kSmallestNorm);
}

}  // namespace

double activate(Activation act, double x) {
  if (act == Activation::relu) return std::max(x, 0.0);
  if (act == Activation::leaky_relu) return x < 0.0 ? kLeakySlope * x : x;
  if (act == Activation::sigmoid) return 1.0 / (1.0 + std::exp(-x));
  if (act == Activation::tanh) return std::tanh(x);
  return x;
}

double slope(Activation act, double x) {
  if (act == Activation::relu) return x > 0.0 ? 1.0 : 0.0;
  if (act == Activation::leaky_relu) return x > 0.0 ? 1.0 : kLeakySlope;
  if (act == Activation::sigmoid) return std::exp(-x) / std::pow(1.0 + std::exp(-x), 2);
  if (act == Activation::tanh) return 1.0 / std::pow(std::cosh(x), 2);
  return 1.0;
}

Dense activation(Activation act, const Dense& x) {
  Dense y = x;
  for (double& value : y.values) value = activate(act, value);
  return y;
}

NormalizeResult normalize_rows(const Dense& x) {
  NormalizeResult result{Sum(x.rows, x.cols), Sum(1, x.rows)};
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const double inverse = 1.0 / norm(x, i);
    result.inverse_norms.value(0, i) = inverse;
    result.inverse_norms.magnitude(0, i) = inverse;
    for (std::int64_t j = 0; j < x.cols; ++j) {
      result.y.value(i, j) = x(i, j) * inverse;
      result.y.magnitude(i, j) = std::abs(x(i, j) * inverse);
    }
  }
  return result;
}

Sum normalize_rows_backward(const Dense& x, const Dense& d_y) {
  Sum d_x(x.rows, x.cols);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const double length = norm(x, i);
    double radial = 0.0;
    double radial_magnitude = 0.0;
    for (std::int64_t j = 0; j < x.cols; ++j) {
      radial += x(i, j) * d_y(i, j);
      radial_magnitude += std::abs(x(i, j) * d_y(i, j));
    }
    for (std::int64_t j = 0; j < x.cols; ++j) {
      d_x.value(i, j) = d_y(i, j) / length - x(i, j) * radial / std::pow(length, 3);
      d_x.magnitude(i, j) =
          std::abs(d_y(i, j)) / length + std::abs(x(i, j)) * radial_magnitude / std::pow(length, 3);
    }
  }
  return d_x;
}

AdamResult adam_step(const kernels::AdamOptions& options, const Dense& gradient,
                     const Dense& parameter, const Dense& first_moment,
                     const Dense& second_moment) {
  const std::int64_t rows = parameter.rows;
  const std::int64_t cols = parameter.cols;
  AdamResult result{Sum(rows, cols), Sum(rows, cols), Sum(rows, cols)};
  const double beta1 = options.beta1;
  const double beta2 = options.beta2;
  const auto step = static_cast<double>(options.step);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const double decay = static_cast<double>(options.l2) * parameter(i, j);
      const double g = gradient(i, j) + decay;
      const double g_magnitude = std::abs(gradient(i, j)) + std::abs(decay);
      const double m = beta1 * first_moment(i, j) + (1.0 - beta1) * g;
      const double v = beta2 * second_moment(i, j) + (1.0 - beta2) * g * g;
      const double m_magnitude = beta1 * std::abs(first_moment(i, j)) + (1.0 - beta1) * g_magnitude;
      const double v_magnitude =
          beta2 * second_moment(i, j) + (1.0 - beta2) * g_magnitude * g_magnitude;
      const double m_hat = m / (1.0 - std::pow(beta1, step));
      const double v_hat = v / (1.0 - std::pow(beta2, step));
      const double denominator = std::sqrt(v_hat) + static_cast<double>(options.epsilon);
      const double rate = options.learning_rate;
      result.first_moment.value(i, j) = m;
      result.first_moment.magnitude(i, j) = m_magnitude;
      result.second_moment.value(i, j) = v;
      result.second_moment.magnitude(i, j) = v_magnitude;
      result.parameter.value(i, j) = parameter(i, j) - rate * m_hat / denominator;
      const double update_magnitude =
          rate * m_magnitude / (1.0 - std::pow(beta1, step)) / denominator;
      result.parameter.magnitude(i, j) =
          std::abs(parameter(i, j)) + update_magnitude * (v > 0.0 ? 1.0 + v_magnitude / v : 1.0);
    }
  }
  return result;
}

double round_to_bf16(double value) {
  if (value == 0.0 || !std::isfinite(value)) return value;
  int exponent = 0;
  const double fraction =
      std::frexp(value, &exponent);  // in [1/2, 1): 8 bits are multiples of 2^-8
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8));
}

}  // namespace penchant::oracle
