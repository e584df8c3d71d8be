// SPDX-License-Identifier: Apache-2.0
// A set of rows of a table, one bit a row: which rows of a product are wanted, which rows of its
// table are not zero. 9 KB for 70,000 rows, so that a look-up per entry of a sparse matrix stays in
// the first-level cache of a core as of an SM.
#pragma once

#include <cstdint>

#include "kernels/matrix.h"

namespace penchant::kernels {

/// Row i is in the set if bit i % 32 of word i / 32 is set. No words: every row is. Filled by
/// Backend::mark_rows.
using RowSet = VectorView<const std::uint32_t>;

inline constexpr std::int64_t kRowsPerWord = 32;

constexpr std::int64_t row_set_words(std::int64_t num_rows) {
  return (num_rows + kRowsPerWord - 1) / kRowsPerWord;
}

/// Whether a set in host memory, which has words, contains a row.
inline bool contains(RowSet rows, std::int64_t row) {
  return (rows.data[row / kRowsPerWord] >> (row % kRowsPerWord) & 1U) != 0;
}

}  // namespace penchant::kernels
