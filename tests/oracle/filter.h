// SPDX-License-Identifier: Apache-2.0
// Oracle of the graph filters: dense matrices and the papers' own procedures, in double. See
// linear.h.
#pragma once

#include "models/graph_filter.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;

struct Eigen {
  Dense values;   ///< [1 x N], largest first
  Dense vectors;  ///< [N x N], in columns
};
/// Cyclic Jacobi rotations of a symmetric matrix.
Eigen symmetric_eigen(Dense a);

/// D_U^-1/2 R D_I^-1/2; rows and columns without entries stay zero.
Dense normalized(const Dense& ratings);

/// Scores [B x I] of rows `histories` [B x I] by the filter that `ratings` [U x I] makes.
Dense filter_scores(const Dense& ratings, const models::FilterOptions& options,
                    const Dense& histories);

}  // namespace penchant::oracle
