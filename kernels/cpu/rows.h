// SPDX-License-Identifier: Apache-2.0
// What several kernels do with rows of floats.
#pragma once

#include <cstdint>

namespace penchant::kernels {

inline float dot(const float* a, const float* b, std::int64_t size) {
  float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < size; ++j) sum += a[j] * b[j];
  return sum;
}

/// maximum_and_sum[0] grows to the largest of itself and s_m = scale * scores_m + bias_m; scores_m
/// <- exp(s_m - that maximum), where -infinity becomes 0; maximum_and_sum[1] receives their sum.
/// `bias` may be null.
void exponentiate_row(float* scores, std::int64_t count, float scale, const float* bias,
                      float* maximum_and_sum);

}  // namespace penchant::kernels
