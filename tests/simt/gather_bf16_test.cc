// SPDX-License-Identifier: Apache-2.0
// Rows of a bf16 table that a streamed block brings with it: no op of Backend, so no suite runs it.
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/indexing.cuh"

namespace penchant::kernels::cuda {
namespace {

constexpr std::uint16_t kPoison = 0xDEAD;

struct Shape {
  std::int64_t width, table_stride, first, stride;  ///< elements; first: start of the table
};
// In packs, in words, and of odd widths, strides and starts.
constexpr Shape kShapes[] = {{8, 8, 0, 8},  {6, 8, 0, 32}, {7, 7, 0, 32}, {7, 8, 0, 32},
                             {7, 10, 1, 8}, {4, 5, 0, 32}, {4, 4, 1, 32}};

TEST(GatherBf16, TakesEveryBitOfEveryRow) {
  constexpr std::int64_t kRows = 9;
  const std::vector<graph::NodeId> ids = {8, 0, 3, 3, 7};
  const auto count = static_cast<std::int64_t>(ids.size());
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message()
                 << shape.width << " of " << shape.table_stride << " from " << shape.first);
    std::vector<Bf16> table(
        static_cast<std::size_t>(shape.first + (kRows - 1) * shape.table_stride + shape.width));
    for (std::size_t k = 0; k < table.size(); ++k)
      table[k].bits = static_cast<std::uint16_t>(0x7F80 + k * 37);  // NaNs among them
    std::vector<Bf16> got(static_cast<std::size_t>(count * shape.stride), Bf16{kPoison});
    simt::Machine machine(simt::Schedule::ascending);
    gather_rows(MatrixView<const Bf16>(table.data() + shape.first, kRows, shape.width,
                                       shape.table_stride, Device::cuda),
                IdView(ids.data(), count, Device::cuda),
                MatrixView<Bf16>(got.data(), count, shape.width, shape.stride, Device::cuda),
                &machine);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = shape.first + ids[static_cast<std::size_t>(i)] * shape.table_stride;
      for (std::int64_t j = 0; j < shape.stride; ++j) {
        const std::uint16_t want =
            j < shape.width ? table[static_cast<std::size_t>(row + j)].bits : kPoison;
        EXPECT_EQ(got[static_cast<std::size_t>(i * shape.stride + j)].bits, want) << i << ", " << j;
      }
    }
  }
}

}  // namespace
}  // namespace penchant::kernels::cuda
