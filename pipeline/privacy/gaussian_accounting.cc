// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/gaussian_accounting.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

// 64 bits of mantissa and 15 of exponent: the terms of a delta of 1e-300 and the differences of an
// epsilon of 1e-4 are still exact to far more digits than anybody reads.
using Real = long double;

constexpr Real kRootHalf = 0.70710678118654752440084436210485L;

Real normal_cdf(Real x) { return std::erfc(-x * kRootHalf) / 2.0L; }

/// log of normal_cdf(-x) for x >= 0, also where that is no number any more.
Real log_upper_tail(Real x) {
  constexpr Real kFar = 100.0L;
  if (x < kFar) return std::log(normal_cdf(-x));
  // Mills' ratio to its second term is exact to 3e-8 there and an upper bound.
  constexpr Real kHalfLogTwoPi = 0.91893853320467274178032973640562L;
  return -x * x / 2.0L - std::log(x) - kHalfLogTwoPi;
}

Real delta_of(Real mu, Real epsilon) {
  const Real inside = normal_cdf(mu / 2.0L - epsilon / mu);
  const Real outside = std::exp(epsilon + log_upper_tail(mu / 2.0L + epsilon / mu));
  return std::max(inside - outside, 0.0L);
}

/// Bisection steps: more than the mantissa has bits.
constexpr int kHalvings = 128;

}  // namespace

double gaussian_delta(double mu, double epsilon) {
  if (!(mu > 0.0) || !(epsilon >= 0.0))
    throw InputError("gaussian_delta: expected mu above 0 and epsilon of at least 0");
  return static_cast<double>(delta_of(mu, epsilon));
}

double gaussian_epsilon(double mu, double delta) {
  if (!(mu >= 0.0) || !(delta > 0.0 && delta < 1.0))
    throw InputError("gaussian_epsilon: expected mu of at least 0 and delta between 0 and 1");
  if (mu == 0.0 || delta_of(mu, 0.0L) <= delta) return 0.0;
  Real low = 0.0L;
  Real high = 1.0L;
  while (delta_of(mu, high) > delta) high *= 2.0L;
  for (int i = 0; i < kHalvings; ++i) {
    const Real middle = (low + high) / 2.0L;
    (delta_of(mu, middle) > delta ? low : high) = middle;
  }
  // More than the rounding of anybody who computes the same in double.
  constexpr Real kMargin = 1e-12L;
  return static_cast<double>(high * (1.0L + kMargin) + kMargin);
}

double gaussian_mu(double epsilon, double delta) {
  if (!(epsilon > 0.0) || !(delta > 0.0 && delta < 1.0))
    throw InputError("gaussian_mu: expected epsilon above 0 and delta between 0 and 1");
  Real low = 0.0L;
  Real high = 1.0L;
  while (delta_of(high, epsilon) <= delta) high *= 2.0L;
  for (int i = 0; i < kHalvings; ++i) {
    const Real middle = (low + high) / 2.0L;
    (delta_of(middle, epsilon) <= delta ? low : high) = middle;
  }
  return std::nextafter(static_cast<double>(low), 0.0);
}

double composed_mu(std::span<const double> mus) {
  double squares = 0.0;
  for (const double mu : mus) squares += mu * mu;
  return std::sqrt(squares);
}

double largest_advantage(double epsilon, double delta) {
  // Divided by e^epsilon, which may be larger than any number.
  const double inverse = std::exp(-epsilon);
  return (1.0 - inverse + 2.0 * delta * inverse) / (1.0 + inverse);
}

}  // namespace penchant::pipeline
