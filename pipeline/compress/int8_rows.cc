// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/int8_rows.h"

#include <algorithm>
#include <cmath>

#include "graph/ids.h"

namespace penchant::pipeline {

using graph::at;

namespace {

constexpr float kMostByte = 127.0F;

/// Steps of bytes for numbers up to `most` in size; 0 where all are zero, or so small that the step
/// is none.
float byte_step(float most) {
  const float step = most / kMostByte;
  return std::isfinite(1.0F / step) ? step : 0.0F;
}

std::int8_t byte_of(float value, float step) {
  return step == 0.0F ? std::int8_t{0}
                      : static_cast<std::int8_t>(
                            std::clamp(std::nearbyint(value / step), -kMostByte, kMostByte));
}

}  // namespace

Int8Rows int8_by_column(kernels::ConstFloatView vectors) {
  Int8Rows result{vectors.rows, vectors.cols, {}, std::vector<float>(at(vectors.cols))};
  for (std::int64_t i = 0; i < vectors.rows; ++i) {
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      result.scales[at(j)] = std::max(result.scales[at(j)], std::abs(vectors(i, j)));
  }
  for (float& scale : result.scales) scale = byte_step(scale);
  result.values.resize(at(vectors.rows * vectors.cols));
  for (std::int64_t i = 0; i < vectors.rows; ++i) {
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      result.values[at(i * vectors.cols + j)] = byte_of(vectors(i, j), result.scales[at(j)]);
  }
  return result;
}

Int8Rows int8_by_row(kernels::ConstFloatView vectors) {
  Int8Rows result{vectors.rows, vectors.cols, {}, std::vector<float>(at(vectors.rows))};
  result.values.resize(at(vectors.rows * vectors.cols));
  for (std::int64_t i = 0; i < vectors.rows; ++i) {
    const float* row = vectors.row(i);
    float most = 0.0F;
    for (std::int64_t j = 0; j < vectors.cols; ++j) most = std::max(most, std::abs(row[j]));
    const float step = result.scales[at(i)] = byte_step(most);
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      result.values[at(i * vectors.cols + j)] = byte_of(row[j], step);
  }
  return result;
}

void floats_by_row(const Int8Rows& rows, kernels::FloatView to) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    for (std::int64_t j = 0; j < rows.cols; ++j)
      to(i, j) = static_cast<float>(rows.values[at(i * rows.cols + j)]) * rows.scales[at(i)];
  }
}

}  // namespace penchant::pipeline
