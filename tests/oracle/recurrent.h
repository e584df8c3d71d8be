// SPDX-License-Identifier: Apache-2.0
// Oracle of the recurrent layers: one sequence at a time, back through time by the chain rule. See
// linear.h and tracked.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

struct RecurrentParameters {
  Dense input;   ///< [F x G]
  Dense hidden;  ///< [H x G]
  Dense bias;    ///< one row
};

struct RecurrentResult {
  Sum h, d_x, d_input, d_hidden, d_bias;
};

/// Rows of step t of sequence b: step_offsets[t] + b. `lengths` descend and are positive.
std::vector<std::int64_t> step_offsets(const std::vector<std::int64_t>& lengths);

/// Forward and backward; x and d_h packed by step.
RecurrentResult recurrent(const kernels::RecurrentOptions& options,
                          const std::vector<std::int64_t>& lengths, const Dense& x,
                          const RecurrentParameters& parameters, const Dense& d_h);

}  // namespace penchant::oracle
