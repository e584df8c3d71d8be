// SPDX-License-Identifier: Apache-2.0
// Fixed pseudo-random operands. Every value is a float32, so that oracle and backend start from the
// same numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/csr.h"
#include "tests/support/dense.h"

namespace penchant::support {

/// Uniform in [-1, 1).
Dense random_dense(std::int64_t rows, std::int64_t cols, std::uint64_t seed);
/// Small integers in [-3, 3]: their products and sums are exact and tie often.
Dense random_integers(std::int64_t rows, std::int64_t cols, std::uint64_t seed);
/// Rounded to float32.
Dense round_to_float(Dense values);
/// One row of ids in [0, bound).
Dense random_ids(std::int64_t count, std::int64_t bound, std::uint64_t seed);
std::vector<graph::NodeId> ids_of(const Dense& row);

enum class Values : bool { absent, present };

/// Rows of 0 to 2 * mean_row_size entries: every fifth row is empty, columns ascend and may repeat.
graph::Csr random_sparse(std::int64_t rows, std::int64_t cols, std::int64_t mean_row_size,
                         Values values, std::uint64_t seed);
/// About `mean_row_size` different columns a row, no values: a set of items for each user.
graph::Csr random_sets(std::int64_t rows, std::int64_t cols, std::int64_t mean_row_size,
                       std::uint64_t seed);
/// A symmetric matrix with values, about `mean_row_size` entries a row, the diagonal included.
graph::Csr random_symmetric(std::int64_t nodes, std::int64_t mean_row_size, std::uint64_t seed);

}  // namespace penchant::support
