// SPDX-License-Identifier: Apache-2.0
// Full ranking against a brute force that scores, masks and sorts every item for every user.
#include "pipeline/evaluation/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::input_error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A part of a log from the items of each user.
graph::Interactions part_of(const std::vector<std::set<NodeId>>& items_of_user) {
  graph::Interactions part;
  for (std::size_t user = 0; user < items_of_user.size(); ++user) {
    for (const NodeId item : items_of_user[user]) {
      part.user.push_back(static_cast<NodeId>(user));
      part.item.push_back(item);
      part.weight.push_back(1.0F);
    }
  }
  return part;
}

/// Users and items with small whole numbers as vectors: products are exact, so scores tie often.
struct World {
  std::int64_t num_users, num_items, width;
  std::vector<float> users, items;
  std::vector<std::set<NodeId>> train, validation, test;
  Dataset dataset;

  World(std::int64_t user_count, std::int64_t item_count, unsigned seed)
      : num_users(user_count), num_items(item_count), width(3) {
    std::mt19937 random(seed);
    const auto fill = [&](std::vector<float>& values, std::int64_t rows) {
      for (std::int64_t i = 0; i < rows * width; ++i)
        values.push_back(static_cast<float>(static_cast<int>(random() % 5) - 2));
    };
    fill(users, num_users);
    fill(items, num_items);
    for (auto* part : {&train, &validation, &test})
      part->resize(static_cast<std::size_t>(num_users));
    for (std::size_t user = 0; user < train.size(); ++user) {
      for (NodeId item = 0; item < num_items; ++item) {
        const unsigned draw = random() % 8;
        if (draw == 0 || draw == 1) train[user].insert(item);
        if (draw == 2) validation[user].insert(item);
        if (draw == 3 && user % 7 != 0) test[user].insert(item);
      }
    }
    for (std::int64_t user = 0; user < num_users; ++user)
      dataset.users.intern(fmt::format("u{}", user));
    for (std::int64_t item = 0; item < num_items; ++item)
      dataset.items.intern(fmt::format("i{}", item));
    dataset.split.train.interactions = part_of(train);
    dataset.split.validation = part_of(validation);
    dataset.split.test = part_of(test);
    dataset.item_statistics.count.assign(static_cast<std::size_t>(num_items), 0);
    for (const auto& bought : train) {
      for (const NodeId item : bought)
        ++dataset.item_statistics.count[static_cast<std::size_t>(item)];
    }
  }

  double score(std::size_t user, NodeId item) const {
    double sum = 0;
    for (std::int64_t j = 0; j < width; ++j) {
      sum += static_cast<double>(
                 users[user * static_cast<std::size_t>(width) + static_cast<std::size_t>(j)]) *
             static_cast<double>(items[static_cast<std::size_t>(item * width + j)]);
    }
    return sum;
  }
  kernels::ConstFloatView user_vectors() const {
    return {users.data(), num_users, width, width, kernels::Device::cpu};
  }
  kernels::ConstFloatView item_vectors() const {
    return {items.data(), num_items, width, width, kernels::Device::cpu};
  }
};

std::map<std::string, double> brute_force(const World& world,
                                          const std::vector<std::set<NodeId>>& targets,
                                          const std::vector<std::set<NodeId>>& masked,
                                          const std::vector<std::int64_t>& cutoffs) {
  std::map<std::string, double> sums;
  std::map<std::int64_t, std::set<NodeId>> shown;
  double num_users = 0;
  for (std::size_t user = 0; user < targets.size(); ++user) {
    if (targets[user].empty()) continue;
    ++num_users;
    std::vector<NodeId> order;
    for (NodeId item = 0; item < world.num_items; ++item) {
      if (!masked[user].contains(item)) order.push_back(item);
    }
    std::sort(order.begin(), order.end(), [&](NodeId a, NodeId b) {
      const double score_a = world.score(user, a);
      const double score_b = world.score(user, b);
      return score_a != score_b ? score_a > score_b : a < b;  // ties: the lower id first
    });
    for (const std::int64_t k : cutoffs) {
      double hits = 0;
      double gain = 0;
      double ideal = 0;
      for (std::size_t place = 0;
           place < std::min<std::size_t>(order.size(), static_cast<std::size_t>(k)); ++place) {
        shown[k].insert(order[place]);
        if (!targets[user].contains(order[place])) continue;
        ++hits;
        gain += 1 / std::log2(static_cast<double>(place) + 2);
      }
      for (std::size_t place = 0;
           place < std::min<std::size_t>(targets[user].size(), static_cast<std::size_t>(k));
           ++place) {
        ideal += 1 / std::log2(static_cast<double>(place) + 2);
      }
      sums[fmt::format("recall@{}", k)] += hits / static_cast<double>(targets[user].size());
      sums[fmt::format("precision@{}", k)] += hits / static_cast<double>(k);
      sums[fmt::format("ndcg@{}", k)] += gain / ideal;
    }
    double auc = 0;
    double rank = 0;
    double best = 1e9;
    for (const NodeId target : targets[user]) {
      double above = 0;
      double others = 0;
      for (const NodeId item : order) {
        if (targets[user].contains(item)) continue;
        ++others;
        const double difference = world.score(user, item) - world.score(user, target);
        above += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
      }
      auc += 1 - above / others;
      rank += 1 + above;
      best = std::min(best, 1 + above);
    }
    sums["auc"] += auc / static_cast<double>(targets[user].size());
    sums["mean_rank"] += rank / static_cast<double>(targets[user].size());
    sums["mrr"] += 1 / best;
  }
  for (auto& [name, sum] : sums) sum /= num_users;
  for (const std::int64_t k : cutoffs) {
    sums[fmt::format("coverage@{}", k)] =
        static_cast<double>(shown[k].size()) / static_cast<double>(world.num_items);
  }
  return sums;
}

std::vector<std::set<NodeId>> united(std::vector<std::set<NodeId>> a,
                                     const std::vector<std::set<NodeId>>& b) {
  for (std::size_t user = 0; user < a.size(); ++user)
    a[user].insert(b[user].begin(), b[user].end());
  return a;
}

class Evaluate : public ::testing::Test {
 protected:
  EvaluateReport evaluate_world(const World& world, HeldOut part,
                                SeenItems seen = SeenItems::automatic, int threads = 2) {
    EvaluateOptions options;
    options.part = part;
    options.cutoffs = {1, 4, 20};
    const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, threads});
    return evaluate_vectors(
        world.user_vectors(), world.item_vectors(), make_ranking_task(world.dataset, part, seen),
        world.dataset.item_statistics.count, options, *backend, silent_progress());
  }
  void expect_equal(const EvaluateReport& report, const std::map<std::string, double>& expected) {
    for (const auto& [name, value] : expected) {
      ASSERT_TRUE(report.metrics.contains(name)) << name;
      EXPECT_NEAR(report.metrics.at(name), value, 1e-9) << name;
    }
  }
};

TEST_F(Evaluate, EqualsBruteForceOnTest) {
  const World world(150, 60, 1);
  const EvaluateReport report = evaluate_world(world, HeldOut::test);
  expect_equal(report,
               brute_force(world, world.test, united(world.train, world.validation), {1, 4, 20}));
  EXPECT_EQ(report.num_users, std::count_if(world.test.begin(), world.test.end(),
                                            [](const auto& items) { return !items.empty(); }));
  EXPECT_LT(report.num_users, 150) << "users without a held-out item are not ranked";
}

TEST_F(Evaluate, ValidationMasksTrainOnly) {
  const World world(150, 60, 2);
  expect_equal(evaluate_world(world, HeldOut::validation),
               brute_force(world, world.validation, world.train, {1, 4, 20}));
}

TEST_F(Evaluate, MoreUsersThanOneTile) {
  const World world(4500, 21, 3);
  expect_equal(evaluate_world(world, HeldOut::test),
               brute_force(world, world.test, united(world.train, world.validation), {1, 4, 20}));
}

TEST_F(Evaluate, ThreadsDoNotChangeTheResult) {
  const World world(300, 40, 4);
  EXPECT_EQ(evaluate_world(world, HeldOut::test, SeenItems::automatic, 1).metrics,
            evaluate_world(world, HeldOut::test, SeenItems::automatic, 2).metrics);
}

TEST_F(Evaluate, RepeatPurchasesKeepSeenItems) {
  World world(80, 30, 5);
  for (std::size_t user = 0; user < world.test.size(); ++user) {
    if (!world.train[user].empty()) world.test[user].insert(*world.train[user].begin());
  }
  world.dataset.split.test = part_of(world.test);
  const std::vector<std::set<NodeId>> nothing(world.test.size());
  world.dataset.repeats_allowed = true;
  expect_equal(evaluate_world(world, HeldOut::test),
               brute_force(world, world.test, nothing, {1, 4, 20}));
  expect_equal(evaluate_world(world, HeldOut::test, SeenItems::keep),
               brute_force(world, world.test, nothing, {1, 4, 20}));
  const auto seen = united(world.train, world.validation);
  std::vector<std::set<NodeId>> fresh = world.test;
  for (std::size_t user = 0; user < fresh.size(); ++user)
    std::erase_if(fresh[user], [&](NodeId item) { return seen[user].contains(item); });
  expect_equal(evaluate_world(world, HeldOut::test, SeenItems::mask),
               brute_force(world, fresh, seen, {1, 4, 20}));
}

TEST_F(Evaluate, SeenItemsAreNeverRecommended) {
  // One user, whose seen items score best: unmasked, the held-out item 4 would be last.
  World world(1, 5, 6);
  world.dataset.split.train.interactions = part_of({{0, 1}});
  world.dataset.split.validation = part_of({{2, 3}});
  world.dataset.split.test = part_of({{4}});
  world.users = {1, 0, 0};
  world.items = {9, 0, 0, 8, 0, 0, 7, 0, 0, 6, 0, 0, 1, 0, 0};
  EXPECT_DOUBLE_EQ(evaluate_world(world, HeldOut::test).metrics.at("recall@1"), 1.0);
  EXPECT_DOUBLE_EQ(evaluate_world(world, HeldOut::test, SeenItems::keep).metrics.at("recall@1"),
                   0.0);
  EXPECT_DOUBLE_EQ(evaluate_world(world, HeldOut::test, SeenItems::keep).metrics.at("mean_rank"),
                   5.0);
}

TEST_F(Evaluate, ATieGoesToTheLowerId) {
  World world(2, 3, 7);
  world.users = std::vector<float>(6, 1.0F);
  world.items = std::vector<float>(9, 1.0F);
  world.dataset.split.train.interactions = part_of({{}, {}});
  world.dataset.split.validation = part_of({{}, {}});
  world.dataset.split.test = part_of({{0}, {2}});
  const auto metrics = evaluate_world(world, HeldOut::test).metrics;
  EXPECT_DOUBLE_EQ(metrics.at("recall@1"), 0.5) << "item 0 is shown first, item 2 last";
  EXPECT_DOUBLE_EQ(metrics.at("auc"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("mean_rank"), 2.0);
}

TEST_F(Evaluate, PopularityRanksByTrainingCounts) {
  World world(90, 25, 8);
  EvaluateOptions options;
  options.cutoffs = {1, 4, 20};
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const EvaluateReport report =
      evaluate_popularity(world.dataset, options, *backend, silent_progress());
  world.users.assign(world.users.size(), 0.0F);
  world.items.assign(world.items.size(), 0.0F);
  for (std::size_t user = 0; user < 90; ++user) world.users[3 * user] = 1.0F;
  for (std::size_t item = 0; item < 25; ++item)
    world.items[3 * item] = static_cast<float>(world.dataset.item_statistics.count[item]);
  expect_equal(report,
               brute_force(world, world.test, united(world.train, world.validation), {1, 4, 20}));
}

TEST_F(Evaluate, RankMetricsCanBeLeftOut) {
  const World world(20, 20, 9);
  EvaluateOptions options;
  options.cutoffs = {5};
  options.rank_metrics = false;
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const auto report =
      evaluate_vectors(world.user_vectors(), world.item_vectors(),
                       make_ranking_task(world.dataset, HeldOut::test, SeenItems::mask),
                       world.dataset.item_statistics.count, options, *backend, silent_progress());
  EXPECT_FALSE(report.metrics.contains("auc") || report.metrics.contains("mean_rank"));
  EXPECT_TRUE(report.metrics.contains("recall@5"));
}

TEST_F(Evaluate, NothingHeldOutIsRefused) {
  World world(20, 20, 10);
  world.dataset.split.test = {};
  EXPECT_THAT(input_error_of(
                  [&] { make_ranking_task(world.dataset, HeldOut::test, SeenItems::automatic); }),
              HasSubstr("no test part"));
  world.dataset.split.validation = {};
  EXPECT_THAT(input_error_of([&] {
                make_ranking_task(world.dataset, HeldOut::validation, SeenItems::automatic);
              }),
              HasSubstr("no validation part"));
}

/// Inner products as a table.
class ProductScorer : public models::Scorer {
 public:
  explicit ProductScorer(const World& world) : world_(world) {}
  void score(kernels::IdView users, kernels::Backend&, kernels::FloatView scores) override {
    for (std::int64_t b = 0; b < users.size; ++b) {
      for (NodeId item = 0; item < world_.num_items; ++item)
        scores(item, b) =
            static_cast<float>(world_.score(static_cast<std::size_t>(users[b]), item));
    }
  }

 private:
  const World& world_;
};

// More users than a tile of scores holds.
TEST(EvaluateScorer, GivesTheMetricsOfTheSameScoresAsVectors) {
  const World world(700, 40, 5);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  EvaluateOptions options;
  options.cutoffs = {5, 20};
  for (const SeenItems seen : {SeenItems::mask, SeenItems::keep}) {
    const RankingTask task = make_ranking_task(world.dataset, HeldOut::test, seen);
    ProductScorer scorer(world);
    const EvaluateReport got = evaluate_scorer(scorer, task, world.dataset.item_statistics.count,
                                               options, *backend, silent_progress());
    const EvaluateReport want =
        evaluate_vectors(world.user_vectors(), world.item_vectors(), task,
                         world.dataset.item_statistics.count, options, *backend, silent_progress());
    EXPECT_EQ(got.metrics, want.metrics);
    EXPECT_EQ(got.num_users, want.num_users);
    EXPECT_TRUE(got.metrics.contains("auc"));
  }
}

// A model that learned nothing but NaN ranks last, not first.
TEST(EvaluateVectors, NanRanksLast) {
  const World world(60, 40, 5);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const RankingTask task = make_ranking_task(world.dataset, HeldOut::test, SeenItems::mask);
  std::vector<float> nothing(world.users.size(), std::numeric_limits<float>::quiet_NaN());
  const kernels::ConstFloatView users(nothing.data(), 60, 3, 3, kernels::Device::cpu);
  EvaluateOptions options;
  options.cutoffs = {5};
  const std::map<std::string, double> metrics =
      evaluate_vectors(users, world.item_vectors(), task, world.dataset.item_statistics.count,
                       options, *backend, silent_progress())
          .metrics;
  EXPECT_EQ(metrics.at("auc"), 0.0);
  EXPECT_EQ(metrics.at("ndcg@5"), 0.0);
  EXPECT_LT(metrics.at("mrr"), 0.1);
  EXPECT_GT(metrics.at("mean_rank"), 20.0);
}

TEST(SampleTask, KeepsTheRowsOfTheUsersThatItDraws) {
  const World world(90, 30, 6);
  const RankingTask task = make_ranking_task(world.dataset, HeldOut::test, SeenItems::mask);
  const RankingTask sample = sample_task(task, 20, graph::Seed{3});
  ASSERT_EQ(sample.users.size(), 20U);
  EXPECT_TRUE(std::is_sorted(sample.users.begin(), sample.users.end()));
  for (std::size_t row = 0; row < sample.users.size(); ++row) {
    const auto user = static_cast<std::size_t>(sample.users[row]);
    const auto targets = sample.targets.view().row(static_cast<std::int64_t>(row));
    EXPECT_EQ(std::set<NodeId>(targets.begin(), targets.end()), world.test[user]);
  }
  EXPECT_EQ(sample_task(task, 20, graph::Seed{3}).users, sample.users);
  EXPECT_NE(sample_task(task, 20, graph::Seed{4}).users, sample.users);
  for (const std::int64_t all : {0, 1000})
    EXPECT_EQ(sample_task(task, all, graph::Seed{3}).users, task.users);
}

}  // namespace
}  // namespace penchant::pipeline
