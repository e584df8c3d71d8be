// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/new_item_rehearsal.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/random.h"
#include "kernels/host_threads.h"
#include "pipeline/artifact/progress.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

using graph::at;
using graph::NodeId;
using kernels::FloatMatrix;

// Items have one of five kinds, users like one of them: they come to have items of that kind. About
// 24 of a tenth's 120 are of it, and 20 are taken.
constexpr std::int64_t kCustomers = 192;
constexpr std::int64_t kWares = 1300;
constexpr std::int64_t kTouchedWares = 1200;  // the first ones
constexpr std::int64_t kKinds = 5;

/// Whether what users had says what they like, or is drawn at random.
enum class Profiles { right, noise };
/// Likewise what a member's vectors say.
enum class Member { right, noise };

NodeId ware_kind(NodeId item) { return item % static_cast<NodeId>(kKinds); }

class RehearsesNewItems : public ::testing::Test {
 protected:
  struct Shop {
    Graphs graphs;
    graph::Interactions later;
  };

  static Shop shop(Profiles profiles, std::int64_t touched = kTouchedWares) {
    Shop shop;
    graph::UserItemGraph& graph = shop.graphs.user_item;
    graph.num_users = kCustomers;
    graph.num_items = kWares;
    graph.user_items.num_rows = kCustomers;
    graph.user_items.num_cols = kWares;
    const graph::Random random(graph::Seed{3}, graph::Stream::generator);
    for (NodeId user = 0; user < kCustomers; ++user) {
      for (NodeId item = 0; item < touched; ++item) {
        const double draw = random.uniform(static_cast<std::uint64_t>(user * kWares + item));
        const bool likes = ware_kind(item) == user % kKinds;
        const bool had = profiles == Profiles::right ? likes && draw < 0.4 : draw < 0.02;
        if (had) graph.user_items.columns.push_back(item);
        if (!had && likes && draw > 0.7) {
          shop.later.user.push_back(user);
          shop.later.item.push_back(item);
          shop.later.weight.push_back(1.0F);
        }
      }
      graph.user_items.offsets.push_back(
          static_cast<graph::EdgeOffset>(graph.user_items.columns.size()));
    }
    graph.item_users = graph::transpose(graph.user_items.view());
    shop.graphs.item.num_items = kWares;
    graph::Relation kinds{.name = "attribute",
                          .columns = graph::NodeKind::hub,
                          .num_hubs = kKinds,
                          .edges = {kWares, kKinds, {0}, {}, {}}};
    for (NodeId item = 0; item < kWares; ++item) {
      kinds.edges.columns.push_back(ware_kind(item));
      kinds.edges.offsets.push_back(item + 1);
    }
    shop.graphs.item.relations.push_back(std::move(kinds));
    return shop;
  }

  /// Ones for the kind of an item or of what a user likes, or random numbers.
  struct Numbers {
    FloatMatrix users, items;
    VectorViews views() const { return {users.view(), items.view(), {kKinds, 0, false, false}}; }
  };
  Numbers numbers(Member member) {
    Numbers made;
    std::uint64_t stream = 100;
    for (const auto& [matrix, rows] :
         {std::pair{&made.users, kCustomers}, std::pair{&made.items, kWares}}) {
      *matrix = backend_->matrix<float>(rows, kKinds);
      const graph::Random random(graph::Seed{4}, graph::Stream::generator, ++stream);
      for (NodeId row = 0; row < rows; ++row) {
        for (std::int64_t j = 0; j < kKinds; ++j) {
          matrix->view()(row, j) =
              member == Member::right
                  ? (ware_kind(row) == j ? 1.0F : 0.0F)
                  : static_cast<float>(random.normal(static_cast<std::uint64_t>(row * kKinds + j)));
        }
      }
    }
    return made;
  }
  NewItemRehearsal rehearse(const Shop& shop, const std::vector<VectorViews>& members,
                            std::size_t usual = 0, std::uint64_t seed = 0) {
    return *rehearse_new_items(members, usual, shop.graphs, shop.later, graph::Seed{seed},
                               *backend_, silent_progress());
  }

  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({.device = kernels::DeviceChoice::cpu, .num_threads = 1});
};

TEST_F(RehearsesNewItems, TakesProfilesAloneWhereTheRegressionIsNoise) {
  const Numbers noise = numbers(Member::noise);
  const NewItemRehearsal found = rehearse(shop(Profiles::right), {noise.views()});
  EXPECT_EQ(found.chosen, (NewItemTeacher{0, 0.0F}));
  ASSERT_EQ(found.trials.size(), 5U);
  EXPECT_EQ(found.trials[0].teacher, (NewItemTeacher{0, 1.0F})) << "the usual one";
  EXPECT_EQ(found.trials[0].gain, 0.0);
  for (const NewItemRehearsal::Trial& trial : found.trials) {
    EXPECT_NEAR(trial.gain, trial.recall - found.trials[0].recall, 1e-12);
    EXPECT_LE(trial.recall, found.trials[1].recall) << "none is better than profiles alone";
  }
  EXPECT_EQ(found.trials[1].teacher.weight, 0.0F);
  EXPECT_GT(found.trials[1].recall, 0.75);
  EXPECT_GT(found.num_users, 180);
}

TEST_F(RehearsesNewItems, TakesTheLargestWeightWhereProfilesAreNoise) {
  const Numbers right = numbers(Member::right);
  const NewItemRehearsal found = rehearse(shop(Profiles::noise), {right.views()});
  EXPECT_EQ(found.chosen, (NewItemTeacher{0, 2.0F}));
}

TEST_F(RehearsesNewItems, TakesTheMemberThatKnows) {
  const Numbers right = numbers(Member::right);
  const Numbers noise = numbers(Member::noise);
  const Shop unknown = shop(Profiles::noise);
  const NewItemRehearsal found = rehearse(unknown, {noise.views(), right.views()});
  EXPECT_EQ(found.chosen, (NewItemTeacher{1, 2.0F}));
  EXPECT_EQ(found.trials.size(), 9U) << "no regression is no member's";
  EXPECT_EQ(rehearse(unknown, {right.views(), noise.views()}, 1).chosen, (NewItemTeacher{0, 2.0F}));
}

/// Landmarks that say nothing: items have four of 40 at random.
graph::Relation landmarks_of_noise() {
  constexpr std::int64_t kLandmarks = 40;
  graph::Relation relation{.name = "look",
                           .columns = graph::NodeKind::hub,
                           .num_hubs = kLandmarks,
                           .of_vectors = true,
                           .edges = {kWares, kLandmarks, {0}, {}, {}}};
  for (NodeId item = 0; item < kWares; ++item) {
    const graph::Permutation order(graph::Seed{5}, graph::Stream::generator,
                                   static_cast<std::uint64_t>(item), kLandmarks);
    std::vector<NodeId> values;
    for (std::uint64_t k = 0; k < 4; ++k) values.push_back(static_cast<NodeId>(order(k)));
    std::sort(values.begin(), values.end());
    relation.edges.columns.insert(relation.edges.columns.end(), values.begin(), values.end());
    relation.edges.offsets.push_back(static_cast<graph::EdgeOffset>(relation.edges.columns.size()));
  }
  return relation;
}

TEST_F(RehearsesNewItems, LandmarksThatSayNothingCountNothing) {
  Shop known = shop(Profiles::right);
  known.graphs.item.relations.push_back(landmarks_of_noise());
  const Numbers noise = numbers(Member::noise);
  const NewItemRehearsal found = rehearse(known, {noise.views()});
  ASSERT_EQ(found.trials.size(), 8U);
  std::map<float, double> recall;  // of content, where the regression has its usual weight
  for (const NewItemRehearsal::Trial& trial : found.trials) {
    if (trial.teacher.weight == 1.0F) recall[trial.teacher.content] = trial.recall;
  }
  ASSERT_EQ(recall.size(), 4U);
  EXPECT_GT(recall[0.0F], recall[1.0F] + 0.01);
  EXPECT_GT(recall[1.0F], recall[2.0F]);
}

TEST_F(RehearsesNewItems, LandmarksThatKnowCountMost) {
  Shop known = shop(Profiles::right);
  graph::Relation kinds = std::move(known.graphs.item.relations.front());
  kinds.of_vectors = true;
  graph::Relation noise_values = landmarks_of_noise();
  noise_values.of_vectors = false;
  known.graphs.item.relations = {std::move(noise_values), std::move(kinds)};
  const Numbers noise = numbers(Member::noise);
  const NewItemRehearsal found = rehearse(known, {noise.views()});
  double best = 0.0;
  double none = 1.0;
  for (const NewItemRehearsal::Trial& trial : found.trials) {
    if (trial.teacher == NewItemTeacher{0, 1.0F, 2.0F}) best = trial.recall;
    if (trial.teacher == NewItemTeacher{0, 1.0F, 0.0F}) none = trial.recall;
  }
  EXPECT_GT(best, none + 0.1);
  EXPECT_EQ(NewItemTeacher::from_json(NewItemTeacher{1, 0.5F, 2.0F}.to_json()),
            (NewItemTeacher{1, 0.5F, 2.0F}));
  EXPECT_EQ(NewItemTeacher::from_json({{"member", 1}, {"weight", 0.5}}),
            (NewItemTeacher{1, 0.5F, 1.0F}));
}

TEST_F(RehearsesNewItems, OfEqualsTheUsualOneStays) {
  const Numbers right = numbers(Member::right);
  for (const std::size_t usual : {std::size_t{0}, std::size_t{1}}) {
    const NewItemRehearsal found =
        rehearse(shop(Profiles::right), {right.views(), right.views()}, usual);
    EXPECT_EQ(found.trials.size(), 9U);
    EXPECT_EQ(found.chosen, (NewItemTeacher{usual, 1.0F}));
  }
}

TEST_F(RehearsesNewItems, WhatIsNotBetterByMoreThanItsStandardErrorDoesNotCount) {
  std::vector<NewItemRehearsal::Trial> trials = {
      {{2, 1.0F}, 0.20, 0.0, 0.0}, {{2, 0.5F}, 0.21, 0.01, 0.005}, {{1, 1.0F}, 0.22, 0.02, 0.03}};
  EXPECT_EQ(best_teacher(trials), (NewItemTeacher{2, 1.0F}));
  trials[2].standard_error = 0.019;
  EXPECT_EQ(best_teacher(trials), (NewItemTeacher{1, 1.0F}));
  trials[2] = {{1, 1.0F}, 0.21, 0.01, 0.005};
  EXPECT_EQ(best_teacher(trials), (NewItemTeacher{2, 0.5F})) << "of equals the first";
}

TEST_F(RehearsesNewItems, IsTheSameTwiceAndAtAnyNumberOfThreads) {
  const Numbers noise = numbers(Member::noise);
  const Shop known = shop(Profiles::right);
  std::vector<std::vector<double>> results;
  for (const int threads : {1, 1, 2}) {
    const kernels::ThreadScope scope(threads);
    const auto on =
        kernels::make_backend({.device = kernels::DeviceChoice::cpu, .num_threads = threads});
    const VectorViews members[] = {noise.views()};
    const auto found = rehearse_new_items(members, 0, known.graphs, known.later, graph::Seed{7},
                                          *on, silent_progress());
    std::vector<double>& all = results.emplace_back();
    for (const NewItemRehearsal::Trial& trial : found->trials)
      all.insert(all.end(), {trial.recall, trial.standard_error});
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  const NewItemRehearsal other = rehearse(known, {noise.views()}, 0, 8);
  EXPECT_NE(other.trials[0].recall, results[0][0]) << "other tenths";
}

TEST_F(RehearsesNewItems, NothingIsTriedWhereThereIsNothingToJudgeBy) {
  const Numbers noise = numbers(Member::noise);
  const auto tried = [&](const Shop& shop) {
    const NewItemRehearsal found = rehearse(shop, {noise.views()});
    if (found.trials.empty()) {
      EXPECT_EQ(found.chosen, (NewItemTeacher{0, 1.0F}));
    }
    return !found.trials.empty();
  };
  Shop whole = shop(Profiles::right);
  EXPECT_TRUE(tried(whole));
  EXPECT_FALSE(tried(shop(Profiles::right, kWares - 10))) << "10 new items at most";
  EXPECT_FALSE(tried(shop(Profiles::right, 900))) << "too few touched ones";
  Shop bare = shop(Profiles::right);
  bare.graphs.item.relations.clear();
  EXPECT_FALSE(tried(bare)) << "no attributes";
  whole.later = {};
  EXPECT_FALSE(tried(whole)) << "no validation rows";
  Shop seen = shop(Profiles::right);  // rows that are in train, too
  seen.later = {};
  for (NodeId user = 0; user < kCustomers; ++user) {
    for (const NodeId item : seen.graphs.user_item.user_items.view().row(user)) {
      seen.later.user.push_back(user);
      seen.later.item.push_back(item);
    }
  }
  EXPECT_FALSE(tried(seen)) << "nothing new to anybody";
}

TEST_F(RehearsesNewItems, AnInterruptedOneChoosesNothing) {
  const Numbers noise = numbers(Member::noise);
  const Shop whole = shop(Profiles::right);
  const VectorViews members[] = {noise.views()};
  penchant::testing::StopAfter progress(0);
  progress.begin("train");
  EXPECT_FALSE(rehearse_new_items(members, 0, whole.graphs, whole.later, graph::Seed{0}, *backend_,
                                  progress));
}

TEST_F(RehearsesNewItems, WhatWasChosenIsReadBack) {
  const NewItemTeacher teacher = {3, 0.25F};
  EXPECT_EQ(NewItemTeacher::from_json(teacher.to_json()), teacher);
  EXPECT_THROW(NewItemTeacher::from_json({{"member", 0}, {"weight", -1.0}}), InputError);
}

}  // namespace
}  // namespace penchant::pipeline
