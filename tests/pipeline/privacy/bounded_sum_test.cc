// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/bounded_sum.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "tests/pipeline/privacy/repeating_random.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::RepeatingRandom;

double length(std::span<const std::int64_t> values) {
  long double squares = 0.0L;
  for (const std::int64_t value : values)
    squares += static_cast<long double>(value) * static_cast<long double>(value);
  return static_cast<double>(std::sqrt(squares));
}

TEST(BoundedSum, NoVectorIsLongerThanTheBound) {
  RepeatingRandom random(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<std::int64_t> integers;
  for (int k = 0; k < 200'000; ++k) {
    std::vector<double> values(1 + random.below(6));
    // From much too short to much too long, and what is no number.
    const double size = std::pow(10.0, static_cast<double>(random.below(12)) - 4.0);
    for (double& value : values)
      value = size * (static_cast<double>(random.below(1'000'001)) / 500'000.0 - 1.0);
    if (k % 100 == 1) values[0] = nan;
    if (k % 100 == 2) values[0] = infinity;
    const auto bound =
        static_cast<std::int64_t>(1 + random.below(std::uint64_t{1} << (1 + k % 30)));
    bounded_integers(values, bound, integers);
    ASSERT_LE(length(integers), static_cast<double>(bound) * (1.0 + 1e-15)) << k;
  }
}

TEST(BoundedSum, KeepsVectorsOfLengthOneToAMillionth) {
  constexpr std::int64_t kBound = 1 << 20;
  std::vector<std::int64_t> integers;
  bounded_integers(std::vector<double>{0.6, -0.8}, kBound, integers);
  EXPECT_NEAR(static_cast<double>(integers[0]) / kBound, 0.6, 2e-6);
  EXPECT_NEAR(static_cast<double>(integers[1]) / kBound, -0.8, 2e-6);
  bounded_integers(std::vector<double>{6.0, -8.0}, kBound, integers);  // cut to length 1
  EXPECT_NEAR(static_cast<double>(integers[0]) / kBound, 0.6, 2e-6);
}

TEST(BoundedSum, ReleasesTheSumAndNoiseOfItsSigma) {
  const double mu = 0.5;
  BoundedSum sum(500, 40, bound_of_mu(mu));
  const std::vector<graph::NodeId> rows = {3};
  std::vector<double> values(40, 0.0);
  values[7] = 1.0;
  for (int person = 0; person < 1000; ++person) sum.add(rows, std::vector<double>{1.0}, values);
  EXPECT_NEAR(sum.sigma(), 1.0 / mu, 1e-5);
  RepeatingRandom random(9);
  const std::vector<double> released = std::move(sum).release(random);
  EXPECT_NEAR(released[3 * 40 + 7], 1000.0, 6.0 / mu);
  double squares = 0.0;
  for (std::size_t k = 0; k < released.size(); ++k) {
    if (k != 3 * 40 + 7) squares += released[k] * released[k];
  }
  EXPECT_NEAR(squares / static_cast<double>(released.size()), 1.0 / (mu * mu), 0.2);
}

TEST(BoundedSum, BoundsNeverCostMoreThanTheirMu) {
  for (const double mu : {1e-5, 0.01, 0.3, 1.0, 7.0, 1000.0}) {
    EXPECT_LE(mu_of_bound(bound_of_mu(mu)), mu);
    EXPECT_GT(mu_of_bound(bound_of_mu(mu) + 1), mu);
  }
  EXPECT_THROW(bound_of_mu(1e-9), InputError);  // not one unit
  EXPECT_THROW(bound_of_mu(0.0), InputError);
  EXPECT_THROW(bound_of_mu(1e9), InputError);
}

}  // namespace
}  // namespace penchant::pipeline
