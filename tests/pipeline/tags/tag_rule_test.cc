// SPDX-License-Identifier: Apache-2.0
// Rules and what they are judged by, against numbers worked out by hand; the weights of probabilities
// against what they were drawn with.
#include "pipeline/tags/tag_rule.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/random.h"
#include "pipeline/tags/tag_posterior.h"

namespace penchant::pipeline {
namespace {

using graph::at;
using graph::NodeId;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TagRules, LogitAdjustmentDividesByThePriorAsFarAsLambdaSays) {
  const std::vector<float> p = {0.6F, 0.3F, 0.09F}, prior = {0.8F, 0.15F, 0.05F};
  EXPECT_THAT(told_values(TagLink::softmax, p, prior, {0.0, 0.0}), ElementsAre(0));
  // .6 / .8 = .75, .3 / .15 = 2, .09 / .05 = 1.8
  EXPECT_THAT(told_values(TagLink::softmax, p, prior, {1.0, 0.0}), ElementsAre(1));
}

TEST(TagRules, AListNeedsLessOfRareValues) {
  const std::vector<float> p = {0.4F, 0.2F, 0.05F}, prior = {0.64F, 0.16F, 0.01F};
  EXPECT_THAT(told_values(TagLink::logistic, p, prior, {0.0, 0.3}), ElementsAre(0));
  // .3 (.16 / .64)^.5 = .15; .3 (1 / 64)^.5 = .0375
  EXPECT_THAT(told_values(TagLink::logistic, p, prior, {0.5, 0.3}), ElementsAre(0, 1, 2));
  EXPECT_THAT(told_values(TagLink::logistic, p, prior, {0.0, 0.9}), IsEmpty());
}

TEST(TagRules, OneValueAnItemIsJudgedByHand) {
  const std::vector<float> prior = {0.5F, 0.25F, 0.25F};
  const std::vector<JudgedItem> items = {{{0.8F, 0.1F, 0.1F}, {0}},
                                         {{0.6F, 0.4F, 0.0F}, {1}},
                                         {{0.2F, 0.7F, 0.1F}, {1}},
                                         {{0.9F, 0.1F, 0.0F}, {2}}};
  const TagQuality quality = judge_tags(TagLink::softmax, items, prior, {});
  EXPECT_DOUBLE_EQ(quality.accuracy, 0.5);
  // F1: 2 * 1 / (3 + 1), 2 * 1 / (1 + 2), 0
  EXPECT_NEAR(quality.macro_f1, (0.5 + 2.0 / 3.0 + 0.0) / 3.0, 1e-12);
  // four items in 15 bins, each by itself: .2 + .6 + .3 + .9
  EXPECT_NEAR(quality.calibration_error, (0.2 + 0.6 + 0.3 + 0.9) / 4.0, 1e-6);
}

TEST(TagRules, ListsAreJudgedByTheirOverlap) {
  const std::vector<float> prior = {0.5F, 0.5F};
  const std::vector<JudgedItem> items = {
      {{0.9F, 0.9F}, {0}}, {{0.9F, 0.1F}, {0}}, {{0.1F, 0.2F}, {1}}};
  const TagQuality quality = judge_tags(TagLink::logistic, items, prior, {0.0, 0.5});
  EXPECT_NEAR(quality.accuracy, (0.5 + 1.0 + 0.0) / 3.0, 1e-12);
  EXPECT_EQ(quality.macro_f1, 0.0);  // no value has ten carriers
}

TEST(TagRules, TheChosenRuleIsTheBest) {
  // The rare value is true in half of the cases in which it has .4: said always, both accuracy and
  // the mean over values gain.
  std::vector<JudgedItem> items;
  for (int i = 0; i < 80; ++i) items.push_back({{0.95F, 0.05F}, {0}});
  for (int i = 0; i < 12; ++i) items.push_back({{0.6F, 0.4F}, {1}});
  for (int i = 0; i < 8; ++i) items.push_back({{0.6F, 0.4F}, {0}});
  const std::vector<float> prior = {0.88F, 0.12F};
  const TagRule rule = choose_rule(TagLink::softmax, items, prior);
  EXPECT_GT(rule.lambda, 0.0);
  const TagQuality chosen = judge_tags(TagLink::softmax, items, prior, rule);
  EXPECT_DOUBLE_EQ(chosen.accuracy, 0.92);
  EXPECT_GT(chosen.macro_f1, judge_tags(TagLink::softmax, items, prior, {}).macro_f1);
}

/// Items whose labels are drawn with `temperature` z and `near` log(1 + weight / .1).
std::vector<TagEvidence> drawn(TagLink link, double temperature, double near, std::size_t count) {
  const graph::Random random(graph::Seed{11}, graph::Stream::generator);
  std::vector<TagEvidence> items(count);
  constexpr std::size_t kValues = 4;
  for (std::size_t i = 0; i < count; ++i) {
    TagEvidence& item = items[i];
    const std::uint64_t place = i * 16;
    item.near[0].values = {static_cast<NodeId>(random.below(place, kValues))};
    item.near[0].weights = {1.0F};
    double s[kValues], sum = 0.0;
    for (std::size_t c = 0; c < kValues; ++c) {
      item.logits.push_back(static_cast<float>(3.0 * random.normal(place + 1 + c)));
      s[c] = temperature * item.logits[c];
      if (item.near[0].values[0] == static_cast<NodeId>(c)) s[c] += near * std::log(11.0);
      sum += std::exp(s[c]);
    }
    double rest = random.uniform(place + 6);
    for (std::size_t c = 0; c < kValues; ++c) {
      if (link == TagLink::logistic) {
        if (random.uniform(place + 7 + c) < 1 / (1 + std::exp(-s[c])))
          item.labels.push_back(static_cast<NodeId>(c));
        continue;
      }
      rest -= std::exp(s[c]) / sum;
      if (rest > 0.0 && c + 1 < kValues) continue;
      item.labels = {static_cast<NodeId>(c)};
      break;
    }
  }
  return items;
}

TEST(TagPosteriorWeights, AreThoseThatTheLabelsWereDrawnWith) {
  for (const TagLink link : {TagLink::softmax, TagLink::logistic}) {
    const auto items = drawn(link, 0.5, 0.8, 8000);
    TagPosterior posterior(link, {0.25F, 0.25F, 0.25F, 0.25F});
    posterior.fit(items);
    EXPECT_NEAR(posterior.weights()[0], 0.5, 0.03);
    EXPECT_NEAR(posterior.weights()[2], 0.8, 0.08);
    // At the least loss the told share of each value is the true one.
    double told = 0.0, true_share = 0.0;
    for (const TagEvidence& item : items) {
      const std::vector<float> p = posterior.probabilities(item);
      for (std::size_t c = 0; c < p.size(); ++c) told += p[c] * item.logits[c];
      for (const NodeId label : item.labels) true_share += item.logits[at(label)];
    }
    EXPECT_NEAR(told / 8000, true_share / 8000, 2e-3);
  }
}

TEST(TagPosteriorWeights, StayAsTheyAreWithoutItems) {
  TagPosterior posterior(TagLink::softmax, {0.5F, 0.5F});
  posterior.fit({});
  EXPECT_EQ(posterior.weights()[0], 1.0);
  EXPECT_THAT(posterior.probabilities({{0.0F, 0.0F}, {}, {}}), ElementsAre(0.5F, 0.5F));
}

}  // namespace
}  // namespace penchant::pipeline
