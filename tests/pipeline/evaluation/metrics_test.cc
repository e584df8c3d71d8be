// SPDX-License-Identifier: Apache-2.0
// Every metric against a brute force that looks at whole lists and follows the textbook definition.
#include "pipeline/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "graph/analysis.h"
#include "graph/error.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;

struct Case {
  std::vector<NodeId> ranked;   ///< kNoNode where the list ends early
  std::vector<NodeId> targets;  ///< ascending
};

std::vector<NodeId> top(const Case& user, std::int64_t cutoff) {
  std::vector<NodeId> shown(user.ranked.begin(), user.ranked.begin() + cutoff);
  shown.erase(std::remove(shown.begin(), shown.end(), graph::kNoNode), shown.end());
  return shown;
}

bool relevant(const Case& user, NodeId item) {
  return std::find(user.targets.begin(), user.targets.end(), item) != user.targets.end();
}

double num_hits(const Case& user, std::int64_t cutoff) {
  const std::vector<NodeId> shown = top(user, cutoff);
  return static_cast<double>(
      std::count_if(shown.begin(), shown.end(), [&](NodeId item) { return relevant(user, item); }));
}

/// Discounted gain of a list of relevances, Jarvelin and Kekalainen 2002 with a base-2 logarithm.
double discounted(const std::vector<bool>& relevances) {
  double gain = 0;
  for (std::size_t i = 0; i < relevances.size(); ++i) {
    if (relevances[i]) gain += std::log(2.0) / std::log(2.0 + static_cast<double>(i));
  }
  return gain;
}

double ndcg(const Case& user, std::int64_t cutoff) {
  std::vector<bool> found;
  for (const NodeId item : top(user, cutoff)) found.push_back(relevant(user, item));
  const auto ideal =
      static_cast<std::size_t>(std::min(cutoff, static_cast<std::int64_t>(user.targets.size())));
  return discounted(found) / discounted(std::vector<bool>(ideal, true));
}

/// Mean of precision@r over the ranks r of the hits, out of as many hits as were possible.
double average_precision(const Case& user, std::int64_t cutoff) {
  double sum = 0;
  const auto shown = static_cast<std::int64_t>(top(user, cutoff).size());
  for (std::int64_t r = 1; r <= shown; ++r) {
    if (relevant(user, user.ranked[static_cast<std::size_t>(r - 1)]))
      sum += num_hits(user, r) / static_cast<double>(r);
  }
  return sum /
         static_cast<double>(std::min(cutoff, static_cast<std::int64_t>(user.targets.size())));
}

double reciprocal_rank(const Case& user, std::int64_t cutoff) {
  for (std::int64_t r = 1; r <= cutoff; ++r) {
    if (num_hits(user, r) > 0) return 1.0 / static_cast<double>(r);
  }
  return 0.0;
}

/// Half the relative mean absolute difference.
double gini_by_pairs(const std::vector<std::int64_t>& counts) {
  double differences = 0;
  double total = 0;
  for (const std::int64_t a : counts) {
    total += static_cast<double>(a);
    for (const std::int64_t b : counts) differences += std::abs(static_cast<double>(a - b));
  }
  return total == 0 ? 0 : differences / (2.0 * static_cast<double>(counts.size()) * total);
}

constexpr NodeId kNumItems = 40;
const std::vector<std::int64_t> kCutoffs = {1, 3, 10, 40};

std::vector<Case> random_cases(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Case> cases;
  for (int user = 0; user < 60; ++user) {
    Case next;
    next.ranked.resize(kNumItems);
    std::iota(next.ranked.begin(), next.ranked.end(), 0);
    std::shuffle(next.ranked.begin(), next.ranked.end(), random);
    const std::size_t masked = random() % 5 * 9;  // the rest of the list is empty
    std::fill(next.ranked.end() - static_cast<std::ptrdiff_t>(masked), next.ranked.end(),
              graph::kNoNode);
    std::set<NodeId> targets;
    const std::size_t num_targets = 1 + random() % 12;
    while (targets.size() < num_targets) targets.insert(static_cast<NodeId>(random() % kNumItems));
    next.targets.assign(targets.begin(), targets.end());
    cases.push_back(next);
  }
  return cases;
}

TEST(Metrics, EqualBruteForceAtEveryCutoff) {
  std::vector<std::int64_t> counts(kNumItems);
  std::iota(counts.begin(), counts.end(), 3);
  const std::vector<Case> cases = random_cases(11);
  MetricSums sums(kCutoffs, counts);
  for (const Case& user : cases) sums.add(user.ranked, user.targets);
  const auto metrics = sums.averages();
  EXPECT_EQ(sums.num_users(), 60);
  const auto mean = [&](auto metric) {
    double sum = 0;
    for (const Case& user : cases) sum += metric(user);
    return sum / static_cast<double>(cases.size());
  };
  for (const std::int64_t k : kCutoffs) {
    const auto got = [&](const char* name) { return metrics.at(name + ("@" + std::to_string(k))); };
    SCOPED_TRACE("K = " + std::to_string(k));
    EXPECT_NEAR(got("recall"), mean([&](const Case& user) {
                  return num_hits(user, k) / static_cast<double>(user.targets.size());
                }),
                1e-12);
    EXPECT_NEAR(got("precision"),
                mean([&](const Case& user) { return num_hits(user, k) / static_cast<double>(k); }),
                1e-12);
    EXPECT_NEAR(got("hit_rate"),
                mean([&](const Case& user) { return num_hits(user, k) > 0 ? 1.0 : 0.0; }), 1e-12);
    EXPECT_NEAR(got("ndcg"), mean([&](const Case& user) { return ndcg(user, k); }), 1e-12);
    EXPECT_NEAR(got("mrr"), mean([&](const Case& user) { return reciprocal_rank(user, k); }),
                1e-12);
    EXPECT_NEAR(got("map"), mean([&](const Case& user) { return average_precision(user, k); }),
                1e-12);
    EXPECT_NEAR(got("popularity"), mean([&](const Case& user) {
                  double sum = 0;
                  const std::vector<NodeId> shown = top(user, k);
                  for (const NodeId item : shown)
                    sum += static_cast<double>(counts[static_cast<std::size_t>(item)]);
                  return shown.empty() ? 0.0 : sum / static_cast<double>(shown.size());
                }),
                1e-9);
    std::vector<std::int64_t> times(kNumItems, 0);
    for (const Case& user : cases) {
      for (const NodeId item : top(user, k)) ++times[static_cast<std::size_t>(item)];
    }
    const auto shown =
        std::count_if(times.begin(), times.end(), [](std::int64_t n) { return n > 0; });
    EXPECT_NEAR(got("coverage"), static_cast<double>(shown) / kNumItems, 1e-12);
    EXPECT_NEAR(got("gini"), gini_by_pairs(times), 1e-12);
  }
}

TEST(Metrics, LieBetweenZeroAndOne) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<std::int64_t> counts(kNumItems, 1);
    MetricSums sums(kCutoffs, counts);
    for (const Case& user : random_cases(seed)) sums.add(user.ranked, user.targets);
    sums.add_ranks(std::vector<double>{0.0, 3.5, 30.0}, 30);
    for (const auto& [name, value] : sums.averages()) {
      if (name == "mean_rank") continue;
      EXPECT_GE(value, 0.0) << name;
      EXPECT_LE(value, 1.0) << name;
    }
  }
}

TEST(Metrics, APerfectAndAUselessList) {
  const std::vector<std::int64_t> counts(6, 1);
  const std::vector<NodeId> ranked = {4, 2, 0, 1, 3, 5};
  MetricSums perfect({2, 3}, counts);
  perfect.add(ranked, std::vector<NodeId>{2, 4});
  MetricSums useless({2, 3}, counts);
  useless.add(ranked, std::vector<NodeId>{3, 5});
  for (const char* name : {"recall@2", "precision@2", "ndcg@2", "hit_rate@2", "mrr@2", "map@2",
                           "recall@3", "ndcg@3", "map@3"}) {
    EXPECT_DOUBLE_EQ(perfect.averages().at(name), 1.0) << name;
    EXPECT_DOUBLE_EQ(useless.averages().at(name), 0.0) << name;
  }
  EXPECT_DOUBLE_EQ(perfect.averages().at("precision@3"), 2.0 / 3.0);
}

TEST(Metrics, ByHand) {
  // Targets at ranks 2 and 4 of a list of 5; three targets in all.
  const std::vector<std::int64_t> counts = {10, 20, 30, 40, 50, 60, 70};
  MetricSums sums({5}, counts);
  sums.add(std::vector<NodeId>{6, 1, 5, 2, 0}, std::vector<NodeId>{1, 2, 3});
  const auto metrics = sums.averages();
  EXPECT_DOUBLE_EQ(metrics.at("recall@5"), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(metrics.at("precision@5"), 0.4);
  EXPECT_DOUBLE_EQ(metrics.at("mrr@5"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("map@5"), (1.0 / 2 + 2.0 / 4) / 3);
  EXPECT_NEAR(metrics.at("ndcg@5"),
              (0.6309297535714575 + 0.43067655807339306) / (1 + 0.6309297535714575 + 0.5), 1e-12);
  EXPECT_DOUBLE_EQ(metrics.at("popularity@5"), (70 + 20 + 60 + 30 + 10) / 5.0);
  EXPECT_DOUBLE_EQ(metrics.at("coverage@5"), 5.0 / 7);
}

TEST(Metrics, AucAndMeanRankCountTiesHalf) {
  // Brute force over scores: AUC is the chance that a target outranks another item, a tie counting
  // one half.
  std::mt19937 random(5);
  const std::vector<std::int64_t> counts(30, 1);
  MetricSums sums({5}, counts);
  double auc = 0;
  double mean_rank = 0;
  constexpr int kUsers = 25;
  for (int user = 0; user < kUsers; ++user) {
    std::vector<int> scores(30);
    for (int& score : scores) score = static_cast<int>(random() % 6);  // many ties
    const std::size_t num_targets = 1 + random() % 4;                  // items 0 .. num_targets - 1
    std::vector<double> above;
    double wins = 0;
    double ranks = 0;
    for (std::size_t target = 0; target < num_targets; ++target) {
      double higher = 0;
      for (std::size_t other = num_targets; other < scores.size(); ++other) {
        higher += scores[other] > scores[target]    ? 1.0
                  : scores[other] == scores[target] ? 0.5
                                                    : 0.0;
        wins += scores[other] < scores[target] ? 1.0 : scores[other] == scores[target] ? 0.5 : 0.0;
      }
      ranks += higher + 1;
      above.push_back(higher);
    }
    const auto others = static_cast<std::int64_t>(scores.size() - num_targets);
    auc += wins / static_cast<double>(num_targets) / static_cast<double>(others);
    mean_rank += ranks / static_cast<double>(num_targets);
    sums.add_ranks(above, others);
  }
  EXPECT_NEAR(sums.averages().at("auc"), auc / kUsers, 1e-12);
  EXPECT_NEAR(sums.averages().at("mean_rank"), mean_rank / kUsers, 1e-12);
}

TEST(Metrics, AllScoresEqualIsAnAucOfOneHalf) {
  const std::vector<std::int64_t> counts(9, 1);
  MetricSums sums({1}, counts);
  sums.add_ranks(std::vector<double>{4.0}, 8);
  EXPECT_DOUBLE_EQ(sums.averages().at("auc"), 0.5);
  EXPECT_DOUBLE_EQ(sums.averages().at("mean_rank"), 5.0);
}

TEST(Metrics, ATargetBesideNoOtherItem) {
  const std::vector<std::int64_t> counts(1, 1);
  MetricSums sums({1}, counts);
  sums.add_ranks(std::vector<double>{0.0}, 0);
  EXPECT_DOUBLE_EQ(sums.averages().at("auc"), 0.5);
}

TEST(Metrics, CutoffsBelowOneAreRefused) {
  const std::vector<std::int64_t> counts(3, 1);
  EXPECT_THROW(MetricSums({5, 0}, counts), InputError);
  EXPECT_THROW(MetricSums({-1}, counts), InputError);
}

TEST(Metrics, GiniOfKnownCounts) {
  EXPECT_NEAR(graph::gini({7, 7, 7, 7}), 0.0, 1e-12);
  EXPECT_NEAR(graph::gini({0, 0, 0, 12}), 0.75, 1e-12) << "all on one of n: (n - 1) / n";
  EXPECT_DOUBLE_EQ(graph::gini({0, 0, 0}), 0.0);
  EXPECT_DOUBLE_EQ(graph::gini({}), 0.0);
  std::mt19937 random(3);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::vector<std::int64_t> counts(1 + random() % 30);
    for (std::int64_t& count : counts) count = static_cast<std::int64_t>(random() % 1000);
    EXPECT_NEAR(graph::gini(counts), gini_by_pairs(counts), 1e-12);
  }
}

}  // namespace
}  // namespace penchant::pipeline
