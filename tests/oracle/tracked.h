// SPDX-License-Identifier: Apache-2.0
// A double that carries a bound of the error which float32 arithmetic makes on the way to it, in
// units of eps: running error analysis (Higham, "Accuracy and Stability of Numerical Algorithms",
// section 3.3). For chains of sums and non-linear functions, whose bound has no formula.
#pragma once

#include <cmath>
#include <cstdint>

#include "tests/support/dense.h"

namespace penchant::oracle {

struct Tracked {
  double value = 0.0;
  double error = 0.0;  ///< |float32 result - value| <= error * eps to first order

  Tracked() = default;
  Tracked(double exact) : value(exact) {}  // NOLINT(google-explicit-constructor)
  Tracked(double result, double bound) : value(result), error(bound) {}
};

inline Tracked operator+(const Tracked& a, const Tracked& b) {
  return {a.value + b.value, a.error + b.error + std::abs(a.value + b.value)};
}
inline Tracked operator-(const Tracked& a, const Tracked& b) {
  return {a.value - b.value, a.error + b.error + std::abs(a.value - b.value)};
}
inline Tracked operator*(const Tracked& a, const Tracked& b) {
  return {a.value * b.value,
          std::abs(a.value) * b.error + std::abs(b.value) * a.error + std::abs(a.value * b.value)};
}
inline Tracked operator/(const Tracked& a, const Tracked& b) {
  const double quotient = a.value / b.value;
  return {quotient,
          (a.error + std::abs(quotient) * b.error) / std::abs(b.value) + std::abs(quotient)};
}
/// A function with derivative `slope`, computed to four units in the last place (one unit is up to
/// 2 eps).
inline Tracked function(double value, double slope, const Tracked& argument) {
  return {value, std::abs(slope) * argument.error + 8.0 * std::abs(value)};
}

/// A sum in any order: n terms err by at most n eps times the sum of their absolute values.
class TrackedSum {
 public:
  void add(const Tracked& term) {
    value_ += term.value;
    error_ += term.error;
    magnitude_ += std::abs(term.value);
    ++count_;
  }
  Tracked total() const { return {value_, error_ + static_cast<double>(count_) * magnitude_}; }

 private:
  double value_ = 0.0, error_ = 0.0, magnitude_ = 0.0;
  std::int64_t count_ = 0;
};

inline void store(support::Sum& sum, std::int64_t i, std::int64_t j, const Tracked& number) {
  sum.value(i, j) = number.value;
  sum.magnitude(i, j) = number.error;
}

}  // namespace penchant::oracle
