// SPDX-License-Identifier: Apache-2.0
// Operands larger than a grid: refused, where a clamped grid would leave columns out.
#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/cuda/device.cuh"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {
namespace {

TEST(LaunchLimits, AGridIsNeverCutShort) {
  EXPECT_EQ(kernels::cuda::grid_x(0), 1U);
  EXPECT_EQ(kernels::cuda::grid_x(kernels::cuda::kLargestGridX), 0x7FFFFFFFU);
  EXPECT_THROW(kernels::cuda::grid_x(kernels::cuda::kLargestGridX + 1), InputError);
  EXPECT_EQ(kernels::cuda::grid_y(65535), 65535U);
  EXPECT_THROW(kernels::cuda::grid_y(65536), InputError);
}

// Sums of 2 M columns take 65535 blocks of 32.
TEST(LaunchLimits, ColumnsBeyondAGridAreRefused) {
  SimtBackend backend(Schedule::ascending);
  constexpr std::int64_t kCols = std::int64_t{65535} * 32 + 1;
  const kernels::FloatMatrix x = backend.matrix<float>(1, kCols);
  kernels::Vector<float> sums = backend.vector<float>(kCols);
  EXPECT_THROW(backend.add_column_sums(x.view(), sums.view()), InputError);
}

}  // namespace
}  // namespace penchant::simt
