// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/bounded_sum.h"

#include <cmath>
#include <utility>

#include "graph/error.h"
#include "pipeline/privacy/discrete_gaussian.h"

namespace penchant::pipeline {

using graph::at;

namespace {

/// kNoiseUnits^2 less what discrete noise may lose: docs/privacy_differential.md.
double accounted_sigma() {
  constexpr double kLost = 4.0;
  const auto units = static_cast<double>(kNoiseUnits);
  return std::sqrt(units * units - kLost);
}

Uint128 sum_of_squares(std::span<const std::int64_t> values) {
  Uint128 sum = 0;
  for (const std::int64_t value : values) {
    const auto size = static_cast<Uint128>(value < 0 ? -value : value);
    sum += size * size;
  }
  return sum;
}

}  // namespace

std::int64_t bound_of_mu(double mu) {
  // mu of 4096 hides nothing, and sums of 2^31 people still fit.
  constexpr double kMostMu = 4096.0;
  if (!(mu > 0.0) || mu > kMostMu)
    throw InputError("the share of the privacy budget is out of range, expected mu up to 4096");
  auto bound = static_cast<std::int64_t>(mu * accounted_sigma());
  while (bound > 0 && mu_of_bound(bound) > mu) --bound;
  if (bound < 1) throw InputError("the privacy budget is too small: nothing but noise is left");
  return bound;
}

double mu_of_bound(std::int64_t bound) { return static_cast<double>(bound) / accounted_sigma(); }

void bounded_integers(std::span<const double> values, std::int64_t bound,
                      std::vector<std::int64_t>& result) {
  double squares = 0.0;
  for (const double value : values) squares += value * value;
  result.assign(values.size(), 0);
  if (!std::isfinite(squares)) return;
  const auto largest = static_cast<Uint128>(bound) * static_cast<Uint128>(bound);
  // Rounding towards zero keeps the length; the length itself was rounded, so that it is checked.
  constexpr double kShorter = 1.0 - 1e-12;
  for (double scale = static_cast<double>(bound) / std::max(1.0, std::sqrt(squares));;
       scale *= kShorter) {
    for (std::size_t i = 0; i < values.size(); ++i)
      result[i] = static_cast<std::int64_t>(values[i] * scale);
    if (sum_of_squares(result) <= largest) return;
  }
}

BoundedSum::BoundedSum(std::int64_t rows, std::int64_t cols, std::int64_t bound)
    : rows_(rows), cols_(cols), bound_(bound), sums_(at(rows * cols), 0) {
  PENCHANT_ASSERT(bound >= 1);
}

void BoundedSum::add(std::span<const graph::NodeId> rows, std::span<const double> weights,
                     std::span<const double> values) {
  PENCHANT_ASSERT(rows.size() == weights.size() && values.size() == at(cols_));
  products_.clear();
  for (const double weight : weights) {
    for (const double value : values) products_.push_back(weight * value);
  }
  bounded_integers(products_, bound_, integers_);
  const std::int64_t* from = integers_.data();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    PENCHANT_ASSERT(rows[i] >= 0 && rows[i] < rows_ && (i == 0 || rows[i - 1] < rows[i]));
    std::int64_t* const to = sums_.data() + static_cast<std::int64_t>(rows[i]) * cols_;
    for (std::int64_t j = 0; j < cols_; ++j) to[j] += *from++;
  }
}

std::vector<double> BoundedSum::release(RandomSource& random) && {
  std::vector<double> released;
  released.reserve(sums_.size());
  for (const std::int64_t sum : std::exchange(sums_, {})) {
    released.push_back(static_cast<double>(sum + discrete_gaussian(kNoiseUnits, random)) /
                       static_cast<double>(bound_));
  }
  return released;
}

}  // namespace penchant::pipeline
