// SPDX-License-Identifier: Apache-2.0
// Compiled with -mfma -ffp-contract=fast, as nvcc compiles: what is added to a product sees it
// before it is rounded.
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"

namespace penchant::kernels::cuda {
namespace {

/// A claim of equal bits that does not hold: what is left of a product without its rounded self.
__global__ void remainder_kernel(const float* x, const float* rounded, float* left) {
  left[threadIdx.x] = x[threadIdx.x] * x[threadIdx.x] - rounded[threadIdx.x];
}

TEST(Fused, AProductIsAddedBeforeItIsRounded) {
#ifndef PENCHANT_FUSED
  GTEST_SKIP() << "this processor has no fused multiply-add";
#endif
  const float number = 1.0F + 0x1p-12F;
  const std::vector<float> x = {number};
  const volatile float product = number * number;  // 1 + 2^-11 + 2^-24, rounded to 1 + 2^-11
  const std::vector<float> rounded = {product};
  std::vector<float> left(1);
  simt::Machine machine(simt::Schedule::ascending);
  launch(remainder_kernel, {dim3(1), dim3(1)}, &machine, x.data(), rounded.data(), left.data());
  EXPECT_EQ(left[0], 0x1p-24F);
}

}  // namespace
}  // namespace penchant::kernels::cuda
