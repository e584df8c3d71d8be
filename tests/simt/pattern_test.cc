// SPDX-License-Identifier: Apache-2.0
// Compiled with -ftrivial-auto-var-init=pattern: a register that a kernel uses before it is written
// holds -1.7e38, not the zero of a fresh stack.
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"

namespace penchant::kernels::cuda {
namespace {

/// Sums of four, of which the first lanes of a block load only `loads`.
template <int loads>
__global__ void sum_four_kernel(const float* values, float* sums) {
  float loaded[4];
  for (int u = 0; u < loads; ++u) loaded[u] = values[4 * threadIdx.x + static_cast<unsigned>(u)];
  float sum = 0.0F;
  for (int u = 0; u < 4; ++u) sum += loaded[u];
  sums[threadIdx.x] = sum;
}

TEST(Pattern, AnUnwrittenRegisterIsNoZero) {
  // Zeros where the fault does not load: on zeroed memory the sum would be right.
  const std::vector<float> values = {1, 2, 3, 0, 4, 5, 6, 0};
  std::vector<float> sums(2);
  simt::Machine machine(simt::Schedule::ascending);
  launch(sum_four_kernel<4>, {dim3(1), dim3(2)}, &machine, values.data(), sums.data());
  EXPECT_EQ(sums, (std::vector<float>{6, 15}));
  launch(sum_four_kernel<3>, {dim3(1), dim3(2)}, &machine, values.data(), sums.data());
  EXPECT_LT(sums[0], -1e38F);
  EXPECT_LT(sums[1], -1e38F);
}

}  // namespace
}  // namespace penchant::kernels::cuda
