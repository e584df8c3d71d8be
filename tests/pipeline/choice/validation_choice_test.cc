// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/validation_choice.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::SplitInteractions;
using penchant::testing::input_error_of;
using ::testing::HasSubstr;

TEST(ValidationChoice, TheMostPopularWithinTheToleranceWins) {
  const std::vector<Judgement> tried = {
      {0.0990, 50.0}, {0.1000, 10.0}, {0.0995, 40.0}, {0.0989, 90.0}};
  EXPECT_EQ(choose(tried, 0.01), 0U);
  EXPECT_EQ(choose(tried, 0.006), 2U);
}

TEST(ValidationChoice, WithoutToleranceTheFirstOfTheBestWins) {
  const std::vector<Judgement> tried = {{0.09, 90.0}, {0.10, 10.0}, {0.10, 50.0}};
  EXPECT_EQ(choose(tried, 0.0), 1U);
}

TEST(ValidationChoice, NothingRightIsStillAChoice) {
  const std::vector<Judgement> tried = {{0.0, 1.0}, {0.0, 2.0}};
  EXPECT_EQ(choose(tried, 0.01), 1U);
  EXPECT_EQ(choose(tried, 0.0), 0U);
}

TEST(ValidationChoice, JudgesByTheMetricAndThePopularityOfTheLists) {
  const std::map<std::string, double> metrics = {{"ndcg@20", 0.25}, {"popularity@20", 17.0}};
  const Judgement got = judgement(metrics, "ndcg@20");
  EXPECT_EQ(got.value, 0.25);
  EXPECT_EQ(got.popularity, 17.0);
  EXPECT_THAT(input_error_of([&] { judgement(metrics, "ndgc@20"); }), HasSubstr("'ndgc@20'"));
}

/// Users 0 and 1 with two training rows each; validation rows of these users at these times.
SplitInteractions split_with(std::vector<graph::NodeId> users, std::vector<std::int64_t> times) {
  SplitInteractions split;
  split.train.interactions.user = {0, 0, 1, 1};
  split.train.interactions.time_ms = {10, 20, 10, 20};
  split.validation.user = std::move(users);
  split.validation.time_ms = std::move(times);
  return split;
}

TEST(ValidationChoice, ToleranceOnlyWhereValidationIsNoLaterThanTraining) {
  EXPECT_EQ(popularity_tolerance(split_with({0, 1}, {20, 30})), 0.0);
  EXPECT_EQ(popularity_tolerance(split_with({0, 1, 1}, {15, 19, 30})), 0.01);
  EXPECT_EQ(popularity_tolerance(split_with({0, 1, 1}, {15, 25, 30})), 0.0);
  EXPECT_EQ(popularity_tolerance(split_with({2, 2}, {5, 6})), 0.0)
      << "a user without training rows";
  SplitInteractions untimed = split_with({0, 1}, {});
  untimed.train.interactions.time_ms.clear();
  EXPECT_EQ(popularity_tolerance(untimed), 0.01);
}

}  // namespace
}  // namespace penchant::pipeline
