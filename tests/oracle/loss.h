// SPDX-License-Identifier: Apache-2.0
// Oracle of the ranking losses and their gradients. See linear.h. Magnitudes follow first-order
// error propagation: a score's error enters a probability by its derivative.
#pragma once

#include <vector>

#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

struct LossResult {
  Sum losses;  ///< one row [B]
  Sum d_users, d_positives, d_negatives;
};

LossResult bpr(const Dense& users, const Dense& positives, const Dense& negatives);

/// `left_out(b, m)` as a [B x M] matrix of 0 and 1; biases with one row, or empty.
LossResult sampled_softmax(const Dense& users, const Dense& positives, const Dense& negatives,
                           double temperature, const Dense& left_out, const Dense& positive_bias,
                           const Dense& negative_bias);

struct PointwiseResult {
  Sum losses, gradients;  ///< one row
};
PointwiseResult binary_cross_entropy(const Dense& logits, const Dense& labels);
PointwiseResult squared_error(const Dense& x, const Dense& targets);

}  // namespace penchant::oracle
