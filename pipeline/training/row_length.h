// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/backend.h"

namespace penchant::pipeline {

/// Root mean square of the lengths of the rows, in host memory, that are not 0; 0 if all are.
inline double mean_row_length(kernels::ConstFloatView rows) {
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    double square = 0.0;
    for (std::int64_t j = 0; j < rows.cols; ++j)
      square += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
    sum += square;
    count += square > 0.0 ? 1 : 0;
  }
  return count > 0 ? std::sqrt(sum / static_cast<double>(count)) : 0.0;
}

}  // namespace penchant::pipeline
