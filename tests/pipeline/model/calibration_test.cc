// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/calibration.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/random.h"
#include "pipeline/evaluation/pair_metrics.h"

namespace penchant::pipeline {
namespace {

/// Pairs whose true log odds are `odds(logit)`.
struct Pairs {
  std::vector<float> logits;
  std::vector<std::uint8_t> labels;
};
template <typename Odds>
Pairs drawn(std::int64_t count, std::uint64_t seed, Odds odds) {
  const graph::Random random(graph::Seed{seed}, graph::Stream::generator);
  Pairs pairs;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto position = static_cast<std::uint64_t>(2 * k);
    const double logit = 4.0 * random.normal(position);
    const double probability = 1.0 / (1.0 + std::exp(-odds(logit)));
    pairs.logits.push_back(static_cast<float>(logit));
    pairs.labels.push_back(random.uniform(position + 1) < probability ? 1 : 0);
  }
  return pairs;
}

double error_of(const Calibration& calibration, const Pairs& pairs) {
  std::vector<float> probabilities;
  for (const float logit : pairs.logits)
    probabilities.push_back(calibrated_probability(calibration, logit));
  const std::vector<graph::NodeId> users(pairs.labels.size(), 0);
  return pair_metrics({users, pairs.labels}, probabilities).values.at("calibration_error");
}

TEST(Calibration, WithoutKnotsIsTheSigmoid) {
  EXPECT_FLOAT_EQ(calibrated_probability({}, 0.0F), 0.5F);
  EXPECT_FLOAT_EQ(calibrated_probability({}, 2.0F), 1.0F / (1.0F + std::exp(-2.0F)));
}

// Log odds that are a third of the logit and never below -1: as an overfitted head's.
TEST(Calibration, MakesProbabilitiesMeanWhatTheySay) {
  const auto odds = [](double logit) { return std::max(-1.0, logit / 3.0); };
  const Pairs fitted = drawn(40'000, 1, odds);
  const Pairs fresh = drawn(40'000, 2, odds);
  const Calibration calibration = fit_calibration(fitted.logits, fitted.labels);
  EXPECT_GT(error_of({}, fresh), 0.1) << "not calibrated before";
  EXPECT_LT(error_of(calibration, fresh), 0.02);
}

TEST(Calibration, KeepsTheOrderOfPairs) {
  const Pairs pairs = drawn(5'000, 3, [](double logit) { return std::sin(logit); });
  const Calibration calibration = fit_calibration(pairs.logits, pairs.labels);
  ASSERT_GE(calibration.logits.size(), 2U);
  EXPECT_TRUE(std::is_sorted(calibration.logits.begin(), calibration.logits.end()));
  EXPECT_TRUE(std::is_sorted(calibration.log_odds.begin(), calibration.log_odds.end()));
  float before = -1.0F;
  for (float logit = -20.0F; logit <= 20.0F; logit += 0.125F) {
    const float probability = calibrated_probability(calibration, logit);
    EXPECT_GE(probability, before);
    EXPECT_GE(probability, 0.0F);
    EXPECT_LE(probability, 1.0F);
    before = probability;
  }
}

TEST(Calibration, TooFewPairsOrOneKindOfThemLeaveItAlone) {
  const auto same = [](double logit) { return logit / 3.0; };
  Pairs pairs = drawn(400, 4, same);
  EXPECT_TRUE(fit_calibration(pairs.logits, pairs.labels).logits.empty());
  pairs = drawn(4'000, 4, same);
  EXPECT_FALSE(fit_calibration(pairs.logits, pairs.labels).logits.empty());
  std::fill(pairs.labels.begin(), pairs.labels.end(), std::uint8_t{1});
  EXPECT_TRUE(fit_calibration(pairs.logits, pairs.labels).logits.empty());
  EXPECT_TRUE(fit_calibration({}, {}).logits.empty());
}

TEST(Calibration, ComesBackFromJson) {
  const Pairs pairs = drawn(3'000, 5, [](double logit) { return logit / 2.0; });
  const Calibration calibration = fit_calibration(pairs.logits, pairs.labels);
  const Calibration back =
      calibration_from_json(nlohmann::json::parse(calibration_to_json(calibration).dump()));
  EXPECT_EQ(back.logits, calibration.logits);
  EXPECT_EQ(back.log_odds, calibration.log_odds);
}

}  // namespace
}  // namespace penchant::pipeline
