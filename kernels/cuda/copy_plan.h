// SPDX-License-Identifier: Apache-2.0
// Cuts a strided copy into blocks that fit a staging buffer. Host code without CUDA, so that it is
// tested where there is no GPU.
#pragma once

#include <algorithm>
#include <cstdint>

namespace penchant::kernels::cuda {

/// Bytes first_byte .. first_byte + bytes of the rows first_row .. first_row + rows.
struct CopyBlock {
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t first_byte;
  std::int64_t bytes;
};

/// Calls visit(block) for blocks of at most capacity bytes that together cover rows x row_bytes
/// once, in order: whole rows where a row fits, else parts of one row.
template <typename Visit>
void for_each_copy_block(std::int64_t rows, std::int64_t row_bytes, std::int64_t capacity,
                         Visit visit) {
  if (rows <= 0 || row_bytes <= 0) return;
  const std::int64_t rows_a_block = std::max<std::int64_t>(1, capacity / row_bytes);
  const std::int64_t bytes_a_block = std::min(row_bytes, capacity);
  for (std::int64_t row = 0; row < rows; row += rows_a_block) {
    const std::int64_t count = std::min(rows_a_block, rows - row);
    for (std::int64_t byte = 0; byte < row_bytes; byte += bytes_a_block)
      visit(CopyBlock{row, count, byte, std::min(bytes_a_block, row_bytes - byte)});
  }
}

}  // namespace penchant::kernels::cuda
