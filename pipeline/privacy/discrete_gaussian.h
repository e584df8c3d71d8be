// SPDX-License-Identifier: Apache-2.0
// Exact samples of the discrete Gaussian: P(x) ~ exp(-x^2 / (2 sigma^2)) on whole numbers. Only whole
// numbers are computed with, so that no rounding of a logarithm tells what was added to (Mironov, "On
// significance of the least significant bits for differential privacy", CCS 2012).
// Source: Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy", NeurIPS 2020,
// algorithms 1 to 3.
#pragma once

#include <cstdint>

#include "pipeline/privacy/random_source.h"

namespace penchant::pipeline {

/// sigma of whole numbers that samples may have, at most: squares of what is compared fit 128 bits.
inline constexpr std::int64_t kLargestSigma = std::int64_t{1} << 24;

/// True with probability exp(-numerator / denominator); denominator > 0.
bool bernoulli_exp(Uint128 numerator, Uint128 denominator, RandomSource& random);

/// One sample; 1 <= sigma <= kLargestSigma.
std::int64_t discrete_gaussian(std::int64_t sigma, RandomSource& random);

}  // namespace penchant::pipeline
