// SPDX-License-Identifier: Apache-2.0
// Logistic regression with an L2 penalty on standardised features, by Newton's method.
//   min_w,b  sum_n log(1 + exp(-s_n (w'z_n + b))) + lambda / 2 |w|^2,   z = (x - mean) / deviation
// s_n = 1 for label 1, else -1. Source: iteratively reweighted least squares, Bishop, "Pattern
// Recognition and Machine Learning", section 4.3.3. Deterministic at any number of threads: sums are
// over blocks of fixed size, in their order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penchant::pipeline {

/// A symmetric positive definite system A x = b, A [n x n] row-major, of which the lower triangle is
/// read and overwritten by its Cholesky factor; x takes the place of b. False where A is not
/// positive definite.
bool solve_in_place(std::vector<double>& a, std::span<double> b);

struct LogisticModel {
  std::vector<double> mean, deviation;  ///< [F]; a feature that does not vary has deviation 1
  std::vector<double> weights;          ///< [F] of the standardised features
  double intercept = 0.0;

  /// Log odds of one example [F].
  double log_odds(std::span<const float> features) const;
};

/// `examples` [N x F] row-major, `labels` [N] 0 or 1, of which each kind is there. Throws InputError
/// where Newton's method does not end.
LogisticModel fit_logistic(std::span<const float> examples, std::span<const std::uint8_t> labels,
                           double lambda);

/// 1 / (1 + exp(-x)).
double sigmoid(double log_odds);

}  // namespace penchant::pipeline
