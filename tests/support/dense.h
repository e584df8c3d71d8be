// SPDX-License-Identifier: Apache-2.0
// A small dense matrix in double: what the oracle computes with and what comparisons take.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace penchant::support {

struct Dense {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> values;

  Dense() = default;
  Dense(std::int64_t num_rows, std::int64_t num_cols, double value = 0.0)
      : rows(num_rows),
        cols(num_cols),
        values(static_cast<std::size_t>(num_rows * num_cols), value) {}
  Dense(std::int64_t num_rows, std::int64_t num_cols, std::vector<double> row_major)
      : rows(num_rows), cols(num_cols), values(std::move(row_major)) {}

  double& operator()(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i * cols + j)];
  }
  double operator()(std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>(i * cols + j)];
  }
};

/// The largest absolute value, 0 of none.
inline double largest(const Dense& values) {
  double result = 0.0;
  for (const double value : values.values) result = std::max(result, std::abs(value));
  return result;
}

/// A computed matrix and, element by element, the sum of the absolute values of its terms: what a
/// rounding error is a multiple of.
struct Sum {
  Dense value;
  Dense magnitude;

  Sum(std::int64_t rows, std::int64_t cols) : value(rows, cols), magnitude(rows, cols) {}
};

}  // namespace penchant::support
