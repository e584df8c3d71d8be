// SPDX-License-Identifier: Apache-2.0
// Logistic regression beside plain gradient descent in double, and the solver beside known answers.
#include "pipeline/audience/logistic.h"

#include <cmath>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

TEST(SolveInPlace, AnswersAPositiveDefiniteSystem) {
  std::vector<double> a = {4, 99, 2, 3};  // the upper triangle is not read
  std::vector<double> b = {2, 5};
  ASSERT_TRUE(solve_in_place(a, b));  // 4x + 2y = 2, 2x + 3y = 5
  EXPECT_NEAR(b[0], -0.5, 1e-12);
  EXPECT_NEAR(b[1], 2.0, 1e-12);
}

TEST(SolveInPlace, RefusesWhatIsNot) {
  std::vector<double> a = {1, 0, 2, 1};
  std::vector<double> b = {1, 1};
  EXPECT_FALSE(solve_in_place(a, b));
}

/// Weights of the standardised features and the intercept, by many small steps.
std::vector<double> by_descent(const std::vector<float>& x, const std::vector<std::uint8_t>& labels,
                               const LogisticModel& model, double lambda) {
  const std::size_t width = model.mean.size();
  std::vector<double> parameters(width + 1, 0.0);
  for (int step = 0; step < 200000; ++step) {
    std::vector<double> gradient(width + 1, 0.0);
    for (std::size_t n = 0; n < labels.size(); ++n) {
      double log_odds = parameters[width];
      std::vector<double> z(width + 1, 1.0);
      for (std::size_t j = 0; j < width; ++j) {
        z[j] = (static_cast<double>(x[n * width + j]) - model.mean[j]) / model.deviation[j];
        log_odds += parameters[j] * z[j];
      }
      const double residual = 1.0 / (1.0 + std::exp(-log_odds)) - labels[n];
      for (std::size_t j = 0; j <= width; ++j) gradient[j] += residual * z[j];
    }
    for (std::size_t j = 0; j < width; ++j) gradient[j] += lambda * parameters[j];
    for (std::size_t j = 0; j <= width; ++j) parameters[j] -= 0.02 * gradient[j];
  }
  return parameters;
}

TEST(FitLogistic, IsTheMinimumThatGradientDescentFinds) {
  const std::vector<float> x = {0.5F, 3, 1, -2, 2.5F, 0, -1, 1, 0, 4, 3, -1, 1.5F, 2, -2, 0.5F};
  const std::vector<std::uint8_t> labels = {0, 1, 1, 0, 0, 1, 1, 0};
  const LogisticModel model = fit_logistic(x, labels, 0.7);
  const std::vector<double> want = by_descent(x, labels, model, 0.7);
  EXPECT_NEAR(model.mean[0], 0.6875, 1e-6);
  EXPECT_NEAR(model.weights[0], want[0], 1e-5);
  EXPECT_NEAR(model.weights[1], want[1], 1e-5);
  EXPECT_NEAR(model.intercept, want[2], 1e-5);
}

TEST(FitLogistic, OfFeaturesThatSayNothingIsTheShareOfLabels) {
  const std::vector<float> x(10, 3.0F);
  const LogisticModel model =
      fit_logistic(x, std::vector<std::uint8_t>{1, 0, 0, 0, 1, 0, 0, 0, 0, 0}, 1.0);
  EXPECT_NEAR(sigmoid(model.log_odds(std::vector<float>{3.0F})), 0.2, 1e-9);
}

TEST(Sigmoid, HoldsFarOut) {
  EXPECT_DOUBLE_EQ(sigmoid(0.0), 0.5);
  EXPECT_DOUBLE_EQ(sigmoid(800.0), 1.0);
  EXPECT_DOUBLE_EQ(sigmoid(-800.0), 0.0);
}

}  // namespace
}  // namespace penchant::pipeline
