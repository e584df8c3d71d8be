// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/new_item_learning.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "graph/random.h"
#include "kernels/host_threads.h"
#include "models/attribute_regression.h"
#include "models/graph_filter.h"
#include "models/new_item_scores.h"
#include "models/new_items.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/training/distillation.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

using graph::at;
using graph::NodeId;
using kernels::FloatMatrix;

constexpr std::int64_t kUsers = 90;
constexpr std::int64_t kItems = 150;
constexpr std::int64_t kTouched = 100;  // the first ones
constexpr std::int64_t kStyles = 12;
constexpr std::int64_t kColours = 11;
constexpr std::int64_t kWidth = 4;
constexpr std::int64_t kTop = 8;

NodeId style_of(NodeId item) { return item % kStyles; }
NodeId colour_of(NodeId item) { return (item * 5 + item / 12) % kColours; }

/// Users have touched items of the style and of the colour that they like.
graph::UserItemGraph visits(std::int64_t touched = kTouched) {
  graph::UserItemGraph graph;
  graph.num_users = kUsers;
  graph.num_items = kItems;
  graph.user_items.num_rows = kUsers;
  graph.user_items.num_cols = kItems;
  const graph::Random random(graph::Seed{5}, graph::Stream::generator);
  for (NodeId user = 0; user < kUsers; ++user) {
    for (NodeId item = 0; item < touched; ++item) {
      const bool likes = style_of(item) == user % kStyles || colour_of(item) == user % kColours;
      const auto place = static_cast<std::uint64_t>(user * kItems + item);
      if (random.uniform(place) < (likes ? 0.5 : 0.02)) graph.user_items.columns.push_back(item);
    }
    graph.user_items.offsets.push_back(
        static_cast<graph::EdgeOffset>(graph.user_items.columns.size()));
  }
  graph.item_users = graph::transpose(graph.user_items.view());
  return graph;
}

/// Item `without` has no attribute.
graph::ItemGraph catalogue(NodeId without = kItems - 1) {
  graph::ItemGraph graph;
  graph.num_items = kItems;
  for (const auto& [num_hubs, hub_of] :
       {std::pair{kStyles, &style_of}, std::pair{kColours, &colour_of}}) {
    graph::Relation relation{.name = "attribute",
                             .columns = graph::NodeKind::hub,
                             .num_hubs = num_hubs,
                             .edges = {kItems, num_hubs, {0}, {}, {}}};
    for (NodeId item = 0; item < kItems; ++item) {
      if (item != without) relation.edges.columns.push_back(hub_of(item));
      relation.edges.offsets.push_back(
          static_cast<graph::EdgeOffset>(relation.edges.columns.size()));
    }
    graph.relations.push_back(std::move(relation));
  }
  return graph;
}

class LearnsNewItems : public ::testing::Test {
 protected:
  static std::unique_ptr<kernels::Backend> cpu(int threads = 1) {
    return kernels::make_backend({.device = kernels::DeviceChoice::cpu, .num_threads = threads});
  }
  std::unique_ptr<models::GraphFilter> filter(kernels::Backend& on) const {
    models::FilterOptions options;
    options.kind = models::FilterKind::gfcf;
    options.rank = 16;
    return std::make_unique<models::GraphFilter>(
        std::make_shared<models::FilterGraph>(graph_.user_items.view(), options.rank,
                                              graph::Seed{1}, on),
        options, on);
  }
  Vectors start(kernels::Backend& on) const {
    Vectors vectors;
    filter(on)->vectors(kWidth, on, vectors.users, vectors.items);
    return vectors;
  }
  TaughtLists taught(kernels::Backend& on, bool new_items) const {
    std::vector<NodeId> users(at(kUsers));
    std::iota(users.begin(), users.end(), NodeId{0});
    TaughtLists lists =
        *read_lists(*filter(on), graph_, false, users, options_, on, silent_progress());
    const Vectors vectors = start(on);
    if (new_items) {
      lists.new_items =
          read_new_item_lists({vectors.users.view(), vectors.items.view(), {}}, {}, graph_,
                              catalogue_, lists.users, options_, on, silent_progress());
    }
    return lists;
  }
  Vectors learnt(kernels::Backend& on, bool new_items) const {
    Vectors vectors = start(on);
    const TaughtLists lists = taught(on, new_items);
    EXPECT_TRUE(learn_lists(lists, graph_, options_, on, silent_progress(), vectors));
    return vectors;
  }
  /// Of kTop new items that fit a user best, how many are among the vectors' first new ones.
  double agreement(const Vectors& vectors) const {
    const auto on = cpu();
    const Vectors known = start(*on);
    std::vector<NodeId> items;
    for (NodeId item = kTouched; item < kItems - 1; ++item) items.push_back(item);
    models::NewItemScores teacher(graph_, models::attribute_links(catalogue_),
                                  models::weighted_by_rarity(models::attribute_links(catalogue_)),
                                  items, known.users.view(), known.items.view(), 1.0F, *on);
    double shared = 0.0;
    for (NodeId user = 0; user < kUsers; ++user) {
      FloatMatrix scores = on->matrix<float>(static_cast<std::int64_t>(items.size()), 1);
      teacher.score({&user, 1, kernels::Device::cpu}, scores.view());
      const auto first = [&](const auto& score) {
        std::vector<NodeId> order = items;
        std::stable_sort(order.begin(), order.end(),
                         [&](NodeId a, NodeId b) { return score(a) > score(b); });
        return std::set<NodeId>(order.begin(), order.begin() + kTop);
      };
      const auto want = first([&](NodeId item) { return scores.view()(item - kTouched, 0); });
      const auto got = first([&](NodeId item) { return product(vectors, user, item); });
      for (const NodeId item : want) shared += got.contains(item) ? 1.0 : 0.0;
    }
    return shared / static_cast<double>(kUsers);
  }
  static double product(const Vectors& vectors, NodeId user, NodeId item) {
    double sum = 0.0;
    for (std::int64_t j = 0; j < vectors.users.cols(); ++j) {
      sum += static_cast<double>(vectors.users.view()(user, j)) *
             static_cast<double>(vectors.items.view()(item, j));
    }
    return sum;
  }
  struct Spread {
    double mean = 0.0;
    double variance = 0.0;
  };
  /// Of the scores of new items: mean over all, and variance within users.
  static Spread spread(const Vectors& vectors) {
    Spread found;
    const auto count = static_cast<double>(kItems - 1 - kTouched);
    for (NodeId user = 0; user < kUsers; ++user) {
      double sum = 0.0;
      double squares = 0.0;
      for (NodeId item = kTouched; item < kItems - 1; ++item) {
        sum += product(vectors, user, item);
        squares += std::pow(product(vectors, user, item), 2);
      }
      found.mean += sum / count / static_cast<double>(kUsers);
      found.variance += (squares / count - std::pow(sum / count, 2)) / static_cast<double>(kUsers);
    }
    return found;
  }

  graph::UserItemGraph graph_ = visits();
  graph::ItemGraph catalogue_ = catalogue();
  DistillationOptions options_;
};

TEST_F(LearnsNewItems, VectorsComeToRankThemByTheirAttributes) {
  const auto on = cpu();
  Vectors without = learnt(*on, false);
  models::fill_new_items(graph_, catalogue_, models::UnitLength::no, *on, without.items.view());
  const Vectors with = learnt(*on, true);
  const double before = agreement(without);
  EXPECT_LT(before, 6.5) << "nothing to learn";
  EXPECT_GT(agreement(with), before + 0.3);
}

TEST_F(LearnsNewItems, ScoresKeepTheMeanAndTheVarianceThatTheRegressionGives) {
  const auto on = cpu();
  Vectors vectors = learnt(*on, true);
  const Spread got = spread(vectors);
  const FloatMatrix learnt_rows = std::move(vectors.items);
  vectors.items = on->matrix<float>(kItems, kWidth);
  on->copy(kernels::ConstFloatView(learnt_rows.view()), vectors.items.view());
  models::fill_new_items(graph_, catalogue_, models::UnitLength::no, *on, vectors.items.view());
  const Spread want = spread(vectors);
  EXPECT_NEAR(got.mean, want.mean, 1e-4 * std::abs(want.mean) + 1e-5);
  EXPECT_NEAR(got.variance, want.variance, 1e-3 * want.variance);
  EXPECT_GT(want.variance, 0.0);
}

TEST_F(LearnsNewItems, ItemsOfWhichNothingIsKnownAreLeftAlone) {
  const auto on = cpu();
  const Vectors without = learnt(*on, false);
  const Vectors with = learnt(*on, true);
  for (std::int64_t j = 0; j < kWidth; ++j)
    EXPECT_EQ(with.items.view()(kItems - 1, j), without.items.view()(kItems - 1, j));
}

TEST_F(LearnsNewItems, TheRegressionCountsByItsWeight) {
  const auto on = cpu();
  const Vectors vectors = start(*on);
  std::vector<NodeId> users(at(kUsers));
  std::iota(users.begin(), users.end(), NodeId{0});
  std::vector<std::set<NodeId>> first;
  for (const float weight : {0.0F, 1.0F, 1000.0F}) {
    const auto taught = read_new_item_lists({vectors.users.view(), vectors.items.view(), {}},
                                            {.regression = weight}, graph_, catalogue_, users,
                                            options_, *on, silent_progress());
    std::set<NodeId>& all = first.emplace_back();
    for (NodeId user = 0; user < kUsers; ++user)
      all.insert(user * static_cast<NodeId>(kItems) + taught->lists.view()(user, 0));
  }
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[1], first[2]);
}

TEST_F(LearnsNewItems, NothingIsTaughtOfTooFewOrNone) {
  const auto on = cpu();
  const Vectors vectors = start(*on);
  const auto found = [&](const graph::UserItemGraph& graph, const graph::ItemGraph& items) {
    return read_new_item_lists({vectors.users.view(), vectors.items.view(), {}}, {}, graph, items,
                               {0, 1}, options_, *on, silent_progress())
        .has_value();
  };
  EXPECT_TRUE(found(graph_, catalogue_));
  EXPECT_FALSE(found(visits(kItems - 19), catalogue(0))) << "19 new items";
  EXPECT_TRUE(found(visits(kItems - 20), catalogue(0))) << "20 new items";
  EXPECT_FALSE(found(visits(kItems), catalogue_)) << "no new item";
  EXPECT_FALSE(found(visits(0), catalogue_)) << "no touched item";
  graph::ItemGraph bare;
  bare.num_items = kItems;
  EXPECT_FALSE(found(graph_, bare)) << "no attributes";
}

TEST_F(LearnsNewItems, DoesNotDependOnThreads) {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2}) {
    const kernels::ThreadScope scope(threads);
    const auto on = cpu(threads);
    const Vectors vectors = learnt(*on, true);
    std::vector<float>& all = results.emplace_back();
    for (const FloatMatrix* matrix : {&vectors.users, &vectors.items}) {
      for (std::int64_t i = 0; i < matrix->rows(); ++i)
        all.insert(all.end(), matrix->view().row(i), matrix->view().row(i) + matrix->cols());
    }
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(LearnsNewItems, AnInterruptedReadingTeachesNothing) {
  const auto on = cpu();
  const Vectors vectors = start(*on);
  penchant::testing::StopAfter progress(0);
  progress.begin("train");
  EXPECT_FALSE(read_new_item_lists({vectors.users.view(), vectors.items.view(), {}}, {}, graph_,
                                   catalogue_, {0, 1}, options_, *on, progress));
}

}  // namespace
}  // namespace penchant::pipeline
