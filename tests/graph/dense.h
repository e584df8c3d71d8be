// SPDX-License-Identifier: Apache-2.0
// Normalised adjacencies by dense loops in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "tests/graph/graphs.h"

namespace penchant::graph {

inline constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

using Dense = std::vector<std::vector<double>>;

inline Dense zeros(std::int64_t rows, std::int64_t cols) {
  return Dense(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(cols)));
}

/// Adds `matrix` to the block of `dense` that starts at (row_offset, column_offset).
inline void add_block(Dense& dense, const Csr& matrix, std::int64_t row_offset = 0,
                      std::int64_t column_offset = 0) {
  for (const auto& [place, value] : entries_of(matrix.view())) {
    dense[static_cast<std::size_t>(place.first + row_offset)]
         [static_cast<std::size_t>(place.second + column_offset)] += value;
  }
}

inline Dense dense_of(const Csr& matrix) {
  Dense dense = zeros(matrix.num_rows, matrix.num_cols);
  add_block(dense, matrix);
  return dense;
}

/// D^-1/2 A D^-1/2, added to `sum` with a weight.
inline void add_normalized(Dense& sum, const Dense& matrix, double weight) {
  std::vector<double> degree;
  for (const auto& row : matrix) degree.push_back(std::accumulate(row.begin(), row.end(), 0.0));
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (std::size_t j = 0; j < matrix.size(); ++j) {
      if (matrix[i][j] != 0.0)
        sum[i][j] += weight * matrix[i][j] / std::sqrt(degree[i] * degree[j]);
    }
  }
}

/// Same pattern, and every value within `roundings` units of `want`'s last float place. All terms
/// are positive.
inline void expect_close(const Csr& got, const Dense& want, double roundings) {
  validate(got.view());
  std::int64_t nonzeros = 0;
  for (const auto& row : want)
    nonzeros += std::count_if(row.begin(), row.end(), [](double x) { return x != 0.0; });
  EXPECT_EQ(got.view().num_entries(), nonzeros);
  ASSERT_EQ(got.num_rows, static_cast<std::int64_t>(want.size()));
  for (const auto& [place, value] : entries_of(got.view())) {
    const double wanted =
        want[static_cast<std::size_t>(place.first)][static_cast<std::size_t>(place.second)];
    EXPECT_TRUE(std::abs(value - wanted) <= roundings * kEpsilon / 2 * std::abs(wanted))
        << "(" << place.first << ", " << place.second << "): " << value << ", wanted " << wanted;
  }
}

/// Symmetric with values, some isolated nodes and some self loops.
inline Csr random_weighted(std::int64_t num_nodes, std::int64_t num_edges, std::uint64_t seed) {
  std::vector<Entry> entries = random_entries(num_nodes, num_nodes, num_edges, seed);
  const std::size_t count = entries.size();
  for (std::size_t e = 0; e < count; ++e) {
    entries.push_back({entries[e].column, entries[e].row, entries[e].value});
  }
  return csr_from_entries(num_nodes, num_nodes, entries);
}

}  // namespace penchant::graph
