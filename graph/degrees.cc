// SPDX-License-Identifier: Apache-2.0
#include "graph/degrees.h"

#include <cmath>

namespace penchant::graph {

std::vector<double> row_sums(const CsrView& matrix) {
  std::vector<double> sums(at(matrix.num_rows), 0.0);
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    double& sum = sums[at(row)];
    if (matrix.values.empty()) sum = static_cast<double>(matrix.row_size(row));
    for (const float value : matrix.row_values(row)) sum += static_cast<double>(value);
  }
  return sums;
}

std::vector<double> column_sums(const CsrView& matrix) {
  std::vector<double> sums(at(matrix.num_cols), 0.0);
  for (EdgeOffset e = 0; e < matrix.num_entries(); ++e)
    sums[at(matrix.columns[at(e)])] += static_cast<double>(matrix.value(e));
  return sums;
}

std::vector<float> inverse_roots(std::span<const double> degrees) {
  std::vector<float> roots;
  roots.reserve(degrees.size());
  for (const double degree : degrees)
    roots.push_back(degree > 0.0 ? static_cast<float>(1.0 / std::sqrt(degree)) : 0.0F);
  return roots;
}

}  // namespace penchant::graph
