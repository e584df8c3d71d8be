// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/gaussian_accounting.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"

namespace penchant::pipeline {
namespace {

/// `count` releases with noise of `sigma` each.
struct Setting {
  double sigma;
  int count;
  double delta, epsilon;
};

/// dp_accounting.get_epsilon_gaussian(sigma / sqrt(count), delta) of dp-accounting 0.6.0, which its
/// accountant by privacy loss distributions confirms to 7 digits (bench/privacy.py).
const Setting kSettings[] = {
    {0.3, 1, 1e-05, 19.1307678343619},    {0.3, 1, 1e-06, 20.7812222565382},
    {0.3, 1, 1e-09, 24.9777240878004},    {0.62, 1, 1e-05, 7.69323778178054},
    {0.62, 1, 1e-06, 8.50374757278606},   {0.62, 1, 1e-09, 10.5585050068351},
    {1.0, 1, 1e-05, 4.37717809568114},    {1.0, 1, 1e-06, 4.88655411746216},
    {1.0, 1, 1e-09, 6.1739350466709},     {1.08, 4, 1e-05, 9.09667071016309},
    {1.08, 4, 1e-06, 10.0241320334512},   {1.08, 4, 1e-09, 12.3770626371013},
    {2.0, 1, 1e-05, 1.99309140441512},    {2.0, 1, 1e-06, 2.25408465021974},
    {2.0, 1, 1e-09, 2.90973238076383},    {3.7, 4, 1e-05, 2.17466262740432},
    {3.7, 4, 1e-06, 2.4559708264966},     {3.7, 4, 1e-09, 3.16319695028203},
    {5.0, 16, 1e-05, 3.38693318615616},   {5.0, 16, 1e-06, 3.79741679574113},
    {5.0, 16, 1e-09, 4.83304976965158},   {10.0, 1, 1e-05, 0.340669364684328},
    {10.0, 1, 1e-06, 0.396857377644083},  {10.0, 1, 1e-09, 0.535148231553108},
    {20.0, 100, 1e-05, 1.99309140441512}, {20.0, 100, 1e-06, 2.25408465021974},
    {20.0, 100, 1e-09, 2.90973238076383}, {50.0, 2, 1e-05, 0.0858144934912901},
    {50.0, 2, 1e-06, 0.102877918864692},  {50.0, 2, 1e-09, 0.143961901966964},
};

TEST(GaussianAccounting, AgreesWithAnotherAccountantAndIsNeverBelowIt) {
  for (const Setting& setting : kSettings) {
    const std::vector<double> mus(static_cast<std::size_t>(setting.count), 1.0 / setting.sigma);
    const double epsilon = gaussian_epsilon(composed_mu(mus), setting.delta);
    EXPECT_GE(epsilon, setting.epsilon) << setting.sigma << " " << setting.delta;
    EXPECT_LE(epsilon, 1.0001 * setting.epsilon) << setting.sigma << " " << setting.delta;
  }
}

TEST(GaussianAccounting, DeltaIsTheProbabilityThatLossIsMoreThanEpsilonSaves) {
  // E[max(0, 1 - exp(epsilon - loss))] for the loss N(mu^2/2, mu^2), by the trapezium rule.
  for (const double mu : {0.3, 1.0, 2.5}) {
    for (const double epsilon : {0.0, 0.5, 4.0}) {
      double delta = 0.0;
      constexpr double kStep = 1e-4;
      for (double z = -12.0; z < 12.0; z += kStep) {
        const double loss = mu * mu / 2.0 + mu * z;
        const double density = std::exp(-z * z / 2.0) / std::sqrt(2.0 * std::acos(-1.0));
        delta += std::max(0.0, 1.0 - std::exp(epsilon - loss)) * density * kStep;
      }
      EXPECT_NEAR(gaussian_delta(mu, epsilon), delta, 1e-8) << mu << " " << epsilon;
    }
  }
}

TEST(GaussianAccounting, MuIsTheLargestThatKeepsBoth) {
  for (const double epsilon : {0.01, 1.0, 4.0, 8.0, 100.0, 1e6}) {
    for (const double delta : {1e-3, 1e-6, 1e-12}) {
      const double mu = gaussian_mu(epsilon, delta);
      EXPECT_LE(gaussian_delta(mu, epsilon), delta * (1.0 + 1e-9));
      EXPECT_GT(gaussian_delta(mu * (1.0 + 1e-6), epsilon), delta);
      EXPECT_NEAR(gaussian_epsilon(mu, delta) / epsilon, 1.0, 1e-9);
    }
  }
}

TEST(GaussianAccounting, NothingReleasedCostsNothing) {
  EXPECT_EQ(gaussian_epsilon(0.0, 1e-6), 0.0);
  EXPECT_EQ(gaussian_epsilon(1e-9, 1e-6), 0.0);  // delta alone covers it
  EXPECT_EQ(composed_mu({}), 0.0);
}

TEST(GaussianAccounting, RefusesWhatIsNoGuarantee) {
  EXPECT_THROW(gaussian_mu(0.0, 1e-6), InputError);
  EXPECT_THROW(gaussian_mu(1.0, 0.0), InputError);
  EXPECT_THROW(gaussian_mu(1.0, 1.0), InputError);
  EXPECT_THROW(gaussian_epsilon(std::nan(""), 1e-6), InputError);
}

TEST(GaussianAccounting, AdvantageIsBoundedByEpsilon) {
  EXPECT_NEAR(largest_advantage(1.0, 0.0), std::tanh(0.5), 1e-15);
  EXPECT_NEAR(largest_advantage(0.0, 0.1), 0.1, 1e-15);
  EXPECT_EQ(largest_advantage(1e6, 1e-6), 1.0);
}

}  // namespace
}  // namespace penchant::pipeline
