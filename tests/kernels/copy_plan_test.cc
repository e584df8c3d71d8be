// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/copy_plan.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace penchant::kernels::cuda {
namespace {

struct CopyCase {
  std::int64_t rows, row_bytes, capacity;
};

TEST(CopyPlan, BlocksCoverEveryByteOnceAndFit) {
  for (const CopyCase& c :
       {CopyCase{1, 1, 1}, CopyCase{5, 7, 7}, CopyCase{5, 7, 20}, CopyCase{5, 7, 35},
        CopyCase{5, 7, 1000}, CopyCase{3, 100, 8}, CopyCase{3, 100, 99}, CopyCase{1000, 4, 64}}) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.row_bytes << " in " << c.capacity);
    std::vector<int> copies(static_cast<std::size_t>(c.rows * c.row_bytes), 0);
    std::int64_t last_start = -1;
    for_each_copy_block(c.rows, c.row_bytes, c.capacity, [&](const CopyBlock& block) {
      EXPECT_LE(block.rows * block.bytes, c.capacity);
      const std::int64_t start = block.first_row * c.row_bytes + block.first_byte;
      EXPECT_GT(start, last_start) << "in order";
      last_start = start;
      for (std::int64_t row = 0; row < block.rows; ++row) {
        for (std::int64_t byte = 0; byte < block.bytes; ++byte) {
          ++copies.at(static_cast<std::size_t>((block.first_row + row) * c.row_bytes +
                                               block.first_byte + byte));
        }
      }
    });
    for (const int count : copies) EXPECT_EQ(count, 1);
  }
}

TEST(CopyPlan, NothingHasNoBlocks) {
  const auto fail = [](const CopyBlock&) { FAIL(); };
  for_each_copy_block(0, 8, 16, fail);
  for_each_copy_block(8, 0, 16, fail);
}

}  // namespace
}  // namespace penchant::kernels::cuda
