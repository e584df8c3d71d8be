// SPDX-License-Identifier: Apache-2.0
// Oracle of the element-wise ops and the optimiser. See linear.h.
#pragma once

#include "kernels/backend.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

double activate(kernels::Activation act, double x);
/// act'(x) from the argument, unlike the op, which has the output only.
double slope(kernels::Activation act, double x);
Dense activation(kernels::Activation act, const Dense& x);

struct NormalizeResult {
  Sum y;
  Sum inverse_norms;  ///< one row
};
NormalizeResult normalize_rows(const Dense& x);
/// By the quotient rule on x, with |x| above the smallest norm.
Sum normalize_rows_backward(const Dense& x, const Dense& d_y);

struct AdamResult {
  Sum parameter, first_moment, second_moment;
};
AdamResult adam_step(const kernels::AdamOptions& options, const Dense& gradient,
                     const Dense& parameter, const Dense& first_moment, const Dense& second_moment);

/// To bf16 and back: round to nearest, ties to even, eight significant bits.
double round_to_bf16(double value);

}  // namespace penchant::oracle
