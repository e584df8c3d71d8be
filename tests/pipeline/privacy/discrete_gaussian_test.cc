// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/discrete_gaussian.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/pipeline/privacy/repeating_random.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::RepeatingRandom;

/// Pearson's statistic of counts of the values of which more than 20 are expected.
void expect_distributed(const std::map<std::int64_t, int>& counts, std::int64_t sigma,
                        int samples) {
  const auto weight = [&](std::int64_t x) {
    return std::exp(-static_cast<double>(x * x) / (2.0 * static_cast<double>(sigma * sigma)));
  };
  double all = 0.0;
  for (std::int64_t x = -40 * sigma; x <= 40 * sigma; ++x) all += weight(x);
  double statistic = 0.0;
  int cells = 0;
  for (std::int64_t x = -40 * sigma; x <= 40 * sigma; ++x) {
    const double expected = samples * weight(x) / all;
    if (expected < 20.0) continue;
    const auto found = counts.find(x);
    const double difference = (found == counts.end() ? 0 : found->second) - expected;
    statistic += difference * difference / expected;
    ++cells;
  }
  // Beyond this in one of 10^5 runs (Wilson and Hilferty's approximation of the quantile).
  const double spread = 2.0 / (9.0 * cells);
  EXPECT_LT(statistic, cells * std::pow(1.0 - spread + 4.27 * std::sqrt(spread), 3.0)) << sigma;
  EXPECT_GT(cells, 3);
}

TEST(DiscreteGaussian, HasItsProbabilities) {
  constexpr int kSamples = 200'000;
  for (const std::int64_t sigma : {1, 2, 7}) {
    RepeatingRandom random(static_cast<std::uint64_t>(sigma));
    std::map<std::int64_t, int> counts;
    for (int k = 0; k < kSamples; ++k) ++counts[discrete_gaussian(sigma, random)];
    expect_distributed(counts, sigma, kSamples);
  }
}

TEST(DiscreteGaussian, LargeSigmaHasItsMoments) {
  constexpr std::int64_t kSigma = std::int64_t{1} << 20;
  constexpr int kSamples = 100'000;
  RepeatingRandom random(5);
  double sum = 0.0;
  double squares = 0.0;
  double fourth = 0.0;
  for (int k = 0; k < kSamples; ++k) {
    const double x = static_cast<double>(discrete_gaussian(kSigma, random)) / kSigma;
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kSamples, 0.0, 5.0 / std::sqrt(kSamples));
  EXPECT_NEAR(squares / kSamples, 1.0, 5.0 * std::sqrt(2.0 / kSamples));
  EXPECT_NEAR(fourth / kSamples, 3.0, 5.0 * std::sqrt(96.0 / kSamples));
}

TEST(DiscreteGaussian, BernoulliHasItsProbability) {
  RepeatingRandom random(3);
  constexpr int kSamples = 100'000;
  for (const auto& [numerator, denominator] : {std::pair(0, 1), std::pair(1, 3), std::pair(7, 3)}) {
    int hits = 0;
    for (int k = 0; k < kSamples; ++k)
      hits +=
          bernoulli_exp(static_cast<Uint128>(numerator), static_cast<Uint128>(denominator), random);
    EXPECT_NEAR(static_cast<double>(hits) / kSamples,
                std::exp(-static_cast<double>(numerator) / denominator), 5.0 / std::sqrt(kSamples));
  }
}

TEST(RandomSource, WideBoundsAreUniform) {
  RepeatingRandom random(4);
  const Uint128 bound = (static_cast<Uint128>(3) << 100) + 1;
  int thirds[3] = {};
  for (int k = 0; k < 30'000; ++k) {
    const Uint128 drawn = random.below_wide(bound);
    ASSERT_LT(drawn, bound);
    ++thirds[static_cast<int>(std::min(drawn >> 100, static_cast<Uint128>(2)))];
  }
  for (const int count : thirds) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(RandomSource, TheSystemDoesNotRepeat) {
  SystemRandom first;
  SystemRandom second;
  std::set<std::uint64_t> seen;
  for (int k = 0; k < 10'000; ++k) {
    seen.insert(first.bits());
    seen.insert(second.bits());
  }
  EXPECT_EQ(seen.size(), 20'000U);
}

}  // namespace
}  // namespace penchant::pipeline
