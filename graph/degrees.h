// SPDX-License-Identifier: Apache-2.0
// Degrees of a sparse matrix, in double and in the order of its entries: the same bits by rows and
// by columns, whichever of a matrix and its transpose is at hand.
#pragma once

#include <span>
#include <vector>

#include "graph/csr.h"

namespace penchant::graph {

/// Sum of each row's values, and of each column's.
std::vector<double> row_sums(const CsrView& matrix);
std::vector<double> column_sums(const CsrView& matrix);

/// 1 / sqrt(degree), or 0 for a node without weight.
std::vector<float> inverse_roots(std::span<const double> degrees);

}  // namespace penchant::graph
