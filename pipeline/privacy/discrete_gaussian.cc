// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/discrete_gaussian.h"

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

/// exp(-numerator / denominator) for quotients of at most 1: 1 - g + g^2/2! - ... is the probability
/// that the first k with a failure of probability 1 - g/k is odd.
bool bernoulli_exp_below_one(Uint128 numerator, Uint128 denominator, RandomSource& random) {
  for (std::uint64_t k = 1;; ++k) {
    if (random.below_wide(denominator * k) >= numerator) return k % 2 == 1;
  }
}

/// exp(-1), of which most draws are made.
bool bernoulli_inverse_e(RandomSource& random) {
  for (std::uint64_t k = 1;; ++k) {
    if (random.below(k) != 0) return k % 2 == 1;
  }
}

/// P(x) ~ exp(-|x| / scale).
std::int64_t discrete_laplace(std::int64_t scale, RandomSource& random) {
  const auto steps = static_cast<std::uint64_t>(scale);
  for (;;) {
    const std::uint64_t within = random.below(steps);
    if (!bernoulli_exp_below_one(within, steps, random)) continue;
    std::int64_t whole = 0;
    while (bernoulli_inverse_e(random)) ++whole;
    const std::int64_t size = static_cast<std::int64_t>(within) + scale * whole;
    const bool negative = random.below(2) == 1;
    if (negative && size == 0) continue;  // zero once, not twice
    return negative ? -size : size;
  }
}

}  // namespace

bool bernoulli_exp(Uint128 numerator, Uint128 denominator, RandomSource& random) {
  for (; numerator > denominator; numerator -= denominator) {
    if (!bernoulli_inverse_e(random)) return false;
  }
  return bernoulli_exp_below_one(numerator, denominator, random);
}

std::int64_t discrete_gaussian(std::int64_t sigma, RandomSource& random) {
  PENCHANT_ASSERT(sigma >= 1 && sigma <= kLargestSigma);
  const std::int64_t scale = sigma + 1;
  const auto square = static_cast<Uint128>(sigma) * static_cast<Uint128>(sigma);
  // exp(-(|y| - sigma^2 / scale)^2 / (2 sigma^2)) = exp(-(|y| scale - sigma^2)^2 / denominator).
  const Uint128 denominator = 2 * square * static_cast<Uint128>(scale * scale);
  for (;;) {
    const std::int64_t y = discrete_laplace(scale, random);
    const auto product = static_cast<Uint128>(y < 0 ? -y : y) * static_cast<Uint128>(scale);
    const Uint128 distance = product > square ? product - square : square - product;
    // Beyond, exp(-distance^2 / denominator) is below exp(-2^22): nobody will see the difference.
    if (distance >> 60 != 0) continue;
    if (bernoulli_exp(distance * distance, denominator, random)) return y;
  }
}

}  // namespace penchant::pipeline
