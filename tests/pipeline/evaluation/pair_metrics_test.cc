// SPDX-License-Identifier: Apache-2.0
// Metrics of pairs against scikit-learn's values (tests/golden), against counting all pairs of
// pairs, and where a class is missing.
#include "pipeline/evaluation/pair_metrics.h"

#include <cstdlib>
#include <limits>
#include <map>
#include <random>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using ::testing::HasSubstr;

json golden() {
  const char* root = std::getenv("PENCHANT_SOURCE_DIR");
  return json::parse(read_text(std::string(root == nullptr ? PENCHANT_TEST_SOURCE_DIR : root) +
                               "/tests/golden/pairs.json"));
}

TEST(PairMetrics, EqualScikitLearn) {
  const json reference = golden();
  for (const json& one : reference.at("pairs")) {
    const auto users = one.at("users").get<std::vector<NodeId>>();
    const auto labels = one.at("labels").get<std::vector<std::uint8_t>>();
    const auto scores = one.at("scores").get<std::vector<float>>();
    const PairMetrics got =
        pair_metrics({users, labels}, scores, one.at("threshold").get<double>());
    const auto want = one.at("values").get<std::map<std::string, double>>();
    ASSERT_EQ(got.values.size(), want.size());
    for (const auto& [name, value] : want)
      // scikit-learn takes logarithms of float32 probabilities in float32.
      EXPECT_NEAR(got.values.at(name), value, name == "log_loss" ? 1e-6 : 1e-12) << name;
  }
  const json& ratings = reference.at("ratings");
  const auto got = rating_metrics(ratings.at("predicted").get<std::vector<float>>(),
                                  ratings.at("actual").get<std::vector<float>>());
  for (const auto& [name, value] : ratings.at("values").get<std::map<std::string, double>>())
    EXPECT_NEAR(got.at(name), value, 1e-12) << name;
}

TEST(PairMetrics, RefuseNan) {
  const std::vector<std::uint8_t> labels = {1, 0, 1};
  const std::vector<NodeId> users = {0, 0, 0};
  const std::vector<float> scores = {0.5F, std::numeric_limits<float>::quiet_NaN(), 0.25F};
  EXPECT_THAT(input_error_of([&] { pair_auc(labels, scores); }), HasSubstr("score 1 is NaN"));
  EXPECT_THAT(input_error_of([&] { user_auc({users, labels}, scores); }), HasSubstr("NaN"));
  EXPECT_THAT(input_error_of([&] {
                pair_metrics({users, labels}, scores, 0.5);
              }),
              HasSubstr("probability 1"));
  EXPECT_THAT(input_error_of([&] {
                rating_metrics(scores, std::vector<float>{1, 2, 3});
              }),
              HasSubstr("prediction 1 is nan"));
}

TEST(PairAuc, CountsPairsOfPairsAndHalvesTies) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<NodeId> users;
    std::vector<std::uint8_t> labels;
    std::vector<float> scores;
    for (unsigned p = 0; p < 2 + random() % 60; ++p) {
      users.push_back(static_cast<NodeId>(random() % 5));
      labels.push_back(static_cast<std::uint8_t>(random() % 2));
      scores.push_back(static_cast<float>(static_cast<int>(random() % 7) - 3));
    }
    std::pair<double, double> all;
    std::map<NodeId, std::pair<double, double>> of_user;
    for (std::size_t p = 0; p < users.size(); ++p) {
      for (std::size_t n = 0; n < users.size(); ++n) {
        if (labels[p] == 0 || labels[n] == 1) continue;
        const double win = scores[p] > scores[n] ? 1.0 : scores[p] == scores[n] ? 0.5 : 0.0;
        all.first += win;
        all.second += 1.0;
        if (users[p] != users[n]) continue;
        of_user[users[p]].first += win;
        of_user[users[p]].second += 1.0;
      }
    }
    double sum = 0.0;
    for (const auto& [user, wins] : of_user) sum += wins.first / wins.second;
    EXPECT_DOUBLE_EQ(pair_auc(labels, scores), all.second > 0 ? all.first / all.second : 0.5);
    EXPECT_NEAR(user_auc({users, labels}, scores),
                of_user.empty() ? 0.5 : sum / static_cast<double>(of_user.size()), 1e-12);
  }
}

TEST(PairMetrics, AClassThatNeverOccursHasDefinedValues) {
  const std::vector<NodeId> users = {0, 0, 1};
  const std::vector<float> scores = {0.25F, 0.25F, 0.25F};
  const auto none = pair_metrics({users, std::vector<std::uint8_t>{0, 0, 0}}, scores).values;
  EXPECT_EQ(none.at("auc"), 0.5);
  EXPECT_EQ(none.at("user_auc"), 0.5);
  EXPECT_EQ(none.at("precision"), 0.0);
  EXPECT_EQ(none.at("recall"), 0.0);
  EXPECT_EQ(none.at("f1"), 0.0);
  EXPECT_EQ(none.at("accuracy"), 1.0);
  const auto only = pair_metrics({users, std::vector<std::uint8_t>{1, 1, 1}}, scores, 0.25).values;
  EXPECT_EQ(only.at("auc"), 0.5);
  EXPECT_EQ(only.at("recall"), 1.0) << "a probability at the threshold is predicted";
  EXPECT_EQ(only.at("calibration_error"), 0.75);
  for (const auto& [name, value] : pair_metrics({}, {}).values)
    EXPECT_EQ(value, name == "auc" || name == "user_auc" ? 0.5 : 0.0) << name;
}

TEST(PairMetrics, BinsAddUp) {
  const std::vector<NodeId> users(6, 0);
  const std::vector<std::uint8_t> labels = {0, 1, 1, 0, 1, 1};
  const std::vector<float> scores = {0.0F, 0.05F, 0.55F, 0.58F, 0.95F, 1.0F};
  const auto bins = pair_metrics({users, labels}, scores).bins;
  ASSERT_EQ(bins.size(), 10U);
  EXPECT_EQ(bins[0].num_pairs, 2);
  EXPECT_DOUBLE_EQ(bins[0].share_positive, 0.5);
  EXPECT_EQ(bins[5].num_pairs, 2);
  EXPECT_NEAR(bins[5].mean_probability, 0.565, 1e-6);
  EXPECT_EQ(bins[9].num_pairs, 2) << "1 belongs to the last bin";
  EXPECT_EQ(bins[3].num_pairs, 0);
  EXPECT_EQ(bins[3].mean_probability, 0.0);
  EXPECT_DOUBLE_EQ(bins[3].lower, 0.3);
  EXPECT_DOUBLE_EQ(bins[3].upper, 0.4);
}

TEST(PairMetrics, RefuseWhatIsNoProbability) {
  const std::vector<NodeId> users = {0, 0};
  const std::vector<std::uint8_t> labels = {0, 1};
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), -0.1F, 1.5F}) {
    EXPECT_THAT(input_error_of([&] {
                  pair_metrics({users, labels}, std::vector<float>{0.5F, wrong});
                }),
                HasSubstr("probability 1 is"));
  }
}

TEST(RatingMetrics, OfNothingAreZero) { EXPECT_EQ(rating_metrics({}, {}).at("rmse"), 0.0); }

}  // namespace
}  // namespace penchant::pipeline
