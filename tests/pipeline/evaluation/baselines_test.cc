// SPDX-License-Identifier: Apache-2.0
// Baselines on a log small enough to rank by hand, and neighbours against a brute force over sets.
#include "pipeline/evaluation/baselines.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <tuple>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::IngestTest;
using penchant::testing::Lines;
using penchant::testing::SmallShopTest;
using ::testing::ElementsAre;

class BaselinesTest : public IngestTest {
 protected:
  /// All items of the catalogue, best first for one user.
  Lines ranking(models::Scorer& scorer, const Dataset& dataset, std::string_view user) {
    const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 2});
    // In a tile with all users, the way evaluation asks.
    std::vector<NodeId> users(static_cast<std::size_t>(dataset.num_users()));
    std::iota(users.begin(), users.end(), 0);
    kernels::FloatMatrix scores = backend->matrix<float>(dataset.num_items(), dataset.num_users());
    scorer.score({users.data(), dataset.num_users(), kernels::Device::cpu}, *backend,
                 scores.view());
    std::vector<NodeId> items(static_cast<std::size_t>(dataset.num_items()));
    std::iota(items.begin(), items.end(), 0);
    const NodeId column = dataset.users.find(user);
    std::stable_sort(items.begin(), items.end(), [&](NodeId a, NodeId b) {
      return scores.view()(a, column) > scores.view()(b, column);
    });
    Lines raw;
    for (const NodeId item : items) raw.emplace_back(dataset.items.raw(item));
    return raw;
  }
};

// Users of a: 1 2 3, b: 1 2, c: 3, d: 1 4 5 6, e: 4 5 (rows by time).
constexpr const char* kLog =
    "user,item,time\n"
    "1,a,1\n1,b,2\n1,d,3\n2,b,1\n2,a,2\n3,a,1\n3,c,2\n"
    "4,d,1\n4,e,2\n5,e,1\n5,d,2\n6,d,1\n6,d,2\n6,a,3\n6,d,9\n";

TEST_F(BaselinesTest, ItemKnnSumsOverTheHistory) {
  const Dataset dataset = ingest_text(kLog);
  const Histories histories = make_histories(dataset.split.train, dataset, 100);
  const graph::Csr neighbours =
      item_neighbours(dataset.split.train, dataset.num_users(), dataset.num_items(), 10);
  // Users of a: 1 2 3 6; of d: 1 4 5 6. cos(a, b) = 2 / sqrt(8), cos(a, c) = 1 / sqrt(4), cos(a, d)
  // = 2 / sqrt(16), cos(b, d) = 1 / sqrt(8), cos(d, e) = 2 / sqrt(8).
  ItemKnn knn(neighbours, ItemKnn::Reads::whole_history, histories, dataset.item_statistics.count);
  // User 2 has b and a: a .707, b .707, d .5 + .354, c .5, e nothing.
  EXPECT_THAT(ranking(knn, dataset, "2"), ElementsAre("d", "a", "b", "c", "e"));
  // User 6 has d (three times, counted once) and a: b .707 + .354, e .707, then a .5, d .5, c .5.
  EXPECT_THAT(ranking(knn, dataset, "6"), ElementsAre("b", "e", "a", "d", "c"));
  ItemKnn last(neighbours, ItemKnn::Reads::last_item, histories, dataset.item_statistics.count);
  // User 3 ends with c: a is its only neighbour, then popularity: d 6 rows, b 2 and e 2, c 1.
  EXPECT_THAT(ranking(last, dataset, "3"), ElementsAre("a", "d", "b", "e", "c"));
}

TEST_F(BaselinesTest, RepeatPurchasesThenPopularity) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "1,a,1\n1,b,2\n1,b,3\n1,c,4\n1,a,5\n1,d,6\n"
      "2,e,1\n3,e,1\n3,f,2\n");
  const Histories histories = make_histories(dataset.split.train, dataset, 100);
  RepeatPurchase frequent(RepeatPurchase::Order::most_frequent, histories,
                          dataset.item_statistics.count);
  EXPECT_THAT(ranking(frequent, dataset, "1"), ElementsAre("a", "b", "d", "c", "e", "f"));
  RepeatPurchase recent(RepeatPurchase::Order::most_recent, histories,
                        dataset.item_statistics.count);
  EXPECT_THAT(ranking(recent, dataset, "1"), ElementsAre("d", "a", "c", "b", "e", "f"));
  EXPECT_THAT(ranking(recent, dataset, "2"), ElementsAre("e", "a", "b", "c", "d", "f"));
}

TEST_F(BaselinesTest, AUserWithoutAHistoryGetsWhatIsPopular) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "0 5 3 9\n1 3 9\n2 3\n")};
  options.test_files = {write("test.txt", "3 5 7\n")};
  options.validation_fraction = 0.0;
  const Dataset dataset = ingest(options);
  const Histories histories = make_histories(dataset.split.train, dataset, 100);
  const graph::Csr neighbours =
      item_neighbours(dataset.split.train, dataset.num_users(), dataset.num_items(), 10);
  ItemKnn knn(neighbours, ItemKnn::Reads::whole_history, histories, dataset.item_statistics.count);
  ItemKnn last(neighbours, ItemKnn::Reads::last_item, histories, dataset.item_statistics.count);
  RepeatPurchase repeat(RepeatPurchase::Order::most_frequent, histories,
                        dataset.item_statistics.count);
  for (models::Scorer* scorer : std::initializer_list<models::Scorer*>{&knn, &last, &repeat})
    EXPECT_THAT(ranking(*scorer, dataset, "3"), ElementsAre("3", "9", "5", "7"));
}

TEST(ItemNeighbours, EqualBruteForceOverSets) {
  constexpr std::int64_t kUsers = 40;
  constexpr std::int64_t kItems = 25;
  std::mt19937 random(5);
  graph::TrainingPart part;
  std::vector<std::set<NodeId>> users_of(kItems);
  for (NodeId user = 0; user < kUsers; ++user) {
    for (unsigned row = 0; row < 1 + random() % 9; ++row) {
      const auto item = static_cast<NodeId>(random() % (kItems - 1));  // the last one has nobody
      part.interactions.user.push_back(user);
      part.interactions.item.push_back(item);
      part.interactions.weight.push_back(1.0F);
      users_of[static_cast<std::size_t>(item)].insert(user);
    }
  }
  for (const std::int64_t top_k : {1, 4, 100}) {
    const graph::Csr got = item_neighbours(part, kUsers, kItems, top_k);
    for (NodeId item = 0; item < kItems; ++item) {
      const auto& own = users_of[static_cast<std::size_t>(item)];
      std::vector<std::tuple<double, NodeId>> all;  // (- cosine, other)
      for (NodeId other = 0; other < kItems; ++other) {
        const auto& theirs = users_of[static_cast<std::size_t>(other)];
        const auto both = std::count_if(own.begin(), own.end(),
                                        [&](NodeId user) { return theirs.contains(user); });
        if (other == item || both == 0) continue;
        all.emplace_back(static_cast<float>(-static_cast<double>(both) /
                                            std::sqrt(static_cast<double>(own.size()) *
                                                      static_cast<double>(theirs.size()))),
                         other);
      }
      std::sort(all.begin(), all.end());
      if (static_cast<std::int64_t>(all.size()) > top_k)
        all.resize(static_cast<std::size_t>(top_k));
      std::vector<std::tuple<NodeId, double>> want;
      for (const auto& [minus, other] : all) want.emplace_back(other, -minus);
      std::sort(want.begin(), want.end());
      std::vector<std::tuple<NodeId, double>> found;
      for (auto e = got.offsets[static_cast<std::size_t>(item)];
           e < got.offsets[static_cast<std::size_t>(item) + 1]; ++e) {
        found.emplace_back(got.columns[static_cast<std::size_t>(e)],
                           static_cast<double>(got.values[static_cast<std::size_t>(e)]));
      }
      EXPECT_EQ(found, want) << item;
    }
  }
}

class BaselinesOfAShop : public SmallShopTest {};

TEST_F(BaselinesOfAShop, AreEvaluatedLikeTheModel) {
  EvaluateOptions options;
  options.cutoffs = {5, 20};
  const auto baselines = evaluate_baselines(dataset(), options, backend(), silent_progress());
  Lines names;
  for (const Baseline& baseline : baselines) {
    names.push_back(baseline.name);
    EXPECT_EQ(baseline.report.num_users, baselines[0].report.num_users);
    EXPECT_EQ(baseline.report.metrics.size(), baselines[0].report.metrics.size());
  }
  EXPECT_THAT(names, ElementsAre("popularity", "item_knn", "last_item_knn", "repeat_frequent",
                                 "repeat_recent"));
  EXPECT_GT(baselines[1].report.metrics.at("recall@20"),
            baselines[0].report.metrics.at("recall@20"));
  // Own items are masked: the order of popularity is left.
  if (baselines[0].report.seen_items_masked) {
    EXPECT_DOUBLE_EQ(baselines[3].report.metrics.at("recall@20"),
                     baselines[0].report.metrics.at("recall@20"));
  }
}

}  // namespace
}  // namespace penchant::pipeline
