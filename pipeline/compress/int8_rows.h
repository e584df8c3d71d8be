// SPDX-License-Identifier: Apache-2.0
// Vectors as bytes, so that inner products of bytes rank as those of floats do. Of items a scale for
// each column, q_ij = round(v_ij / s_j), s_j = max_i |v_ij| / 127: the scales pass to the users,
// u'_j = u_j s_j, for sum_j u_j v_ij ~ sum_j u'_j q_ij. Of users a scale for each row,
// p_j = round(u'_j / t), t = max_j |u'_j| / 127, which changes no order among a user's items.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/matrix.h"

namespace penchant::pipeline {

struct Int8Rows {
  std::int64_t rows = 0, cols = 0;
  std::vector<std::int8_t> values;  ///< [rows x cols]
  std::vector<float> scales;        ///< [cols] or [rows]
};

/// A scale for each column. `vectors` in host memory; all finite.
Int8Rows int8_by_column(kernels::ConstFloatView vectors);
/// A scale for each row.
Int8Rows int8_by_row(kernels::ConstFloatView vectors);

/// The numbers that the bytes stand for, [rows x cols] into `to`.
void floats_by_row(const Int8Rows& rows, kernels::FloatView to);

}  // namespace penchant::pipeline
