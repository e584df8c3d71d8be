// SPDX-License-Identifier: Apache-2.0
// Oracle of the ops over sequences that lie one after another. See linear.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

/// offsets[b] .. offsets[b + 1] are the rows of sequence b.
using Offsets = std::vector<std::int64_t>;
Offsets offsets_of(const std::vector<std::int64_t>& lengths);

Sum convolution(const Offsets& offsets, std::int64_t width, const Dense& x, const Dense& weight,
                const Dense& bias);
struct ConvolutionGradients {
  Sum d_x, d_weight, d_bias;
};
/// The weight's and the bias's start from what they held.
ConvolutionGradients convolution_backward(const Offsets& offsets, std::int64_t width,
                                          const Dense& x, const Dense& weight, const Dense& d_y,
                                          const Dense& d_weight0, const Dense& d_bias0);

struct MaxResult {
  Dense y, rows;
};
MaxResult segment_max(const Offsets& offsets, const Dense& x);

/// y_t = sum over the steps s up to t of decay^(t - s) x_s, or from t on.
Sum running_sum(bool from_the_end, const Offsets& offsets, double decay, const Dense& x);

struct LayerNormResult {
  Sum unit, inverse_deviations, y;
};
LayerNormResult layer_norm(const Dense& x, const Dense& gain, const Dense& bias);
struct LayerNormGradients {
  Sum d_x, d_gain, d_bias;
};
/// From what the forward left, and starting from what the gradients held.
LayerNormGradients layer_norm_backward(const Dense& unit, const Dense& inverse_deviations,
                                       const Dense& gain, const Dense& d_y, const Dense& d_gain0,
                                       const Dense& d_bias0);

}  // namespace penchant::oracle
