// SPDX-License-Identifier: Apache-2.0
// Sums over people to which each person adds little, released with noise that hides any one of them.
//
// A table of whole numbers [rows x cols]. A person adds the outer product of a vector over some rows
// and a vector over the columns, as whole numbers whose length (root of the sum of squares) is at most
// `bound`: that is checked in whole numbers, so that the sensitivity of the table to adding or removing
// a person is `bound` exactly. Each number gets discrete Gaussian noise of standard deviation
// kNoiseUnits of its own, so that the table is a Gaussian mechanism of mu = bound / kNoiseUnits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/ids.h"
#include "pipeline/privacy/random_source.h"

namespace penchant::pipeline {

/// The noise's standard deviation in the units of a table. Rounding is to a millionth of it.
inline constexpr std::int64_t kNoiseUnits = std::int64_t{1} << 20;

/// The largest bound that has at most this mu, once the discrete noise is accounted for as continuous
/// noise with a variance that is smaller by 4 (docs/privacy_differential.md, "Discrete noise").
std::int64_t bound_of_mu(double mu);
/// The mu that is accounted for such a bound.
double mu_of_bound(std::int64_t bound);

/// `values` as whole numbers, shortened to `bound` if their length is more than 1 or not a number, and
/// otherwise multiplied by it; all are rounded towards zero. Their sum of squares is at most bound^2.
void bounded_integers(std::span<const double> values, std::int64_t bound,
                      std::vector<std::int64_t>& result);

class BoundedSum {
 public:
  BoundedSum(std::int64_t rows, std::int64_t cols, std::int64_t bound);

  /// Adds one person: the outer product of `weights` [n], which stand in `rows` [n], ascending and
  /// without repeats, and `values` [cols]. Who has no row adds nothing.
  void add(std::span<const graph::NodeId> rows, std::span<const double> weights,
           std::span<const double> values);
  /// [rows x cols] with noise, in units of a contribution of length 1. The table is gone afterwards:
  /// it is released once.
  std::vector<double> release(RandomSource& random) &&;
  /// Without noise, for tests.
  std::span<const std::int64_t> sums() const { return sums_; }
  std::int64_t bound() const { return bound_; }
  /// Of the noise, in the units of what release() returns.
  double sigma() const { return static_cast<double>(kNoiseUnits) / static_cast<double>(bound_); }

 private:
  std::int64_t rows_, cols_, bound_;
  std::vector<std::int64_t> sums_;
  std::vector<double> products_;        ///< of one person
  std::vector<std::int64_t> integers_;  ///< the same
};

}  // namespace penchant::pipeline
