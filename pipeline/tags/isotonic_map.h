// SPDX-License-Identifier: Apache-2.0
// Calibration by isotonic regression: the shares of true ones among probabilities of about one size,
// made ascending by pooling adjacent violators (Zadrozny and Elkan, "Transforming classifier scores
// into accurate multiclass probability estimates", KDD 2002, section 3.2), and straight lines between
// their log odds, so that two probabilities that differ still do.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace penchant::pipeline {

/// A probability that was told, and whether it came true.
struct ToldProbability {
  float probability;
  bool is_true;
};

class IsotonicMap {
 public:
  /// Nothing is changed.
  IsotonicMap() = default;
  /// Of pairs in any order; with fewer than some hundred true ones nothing is changed.
  explicit IsotonicMap(std::vector<ToldProbability> pairs);
  /// Strictly ascending.
  float operator()(float probability) const;
  std::int64_t num_points() const { return static_cast<std::int64_t>(from_.size()); }

 private:
  std::vector<double> from_, to_;  ///< log odds, ascending
};

}  // namespace penchant::pipeline
