// SPDX-License-Identifier: Apache-2.0
#include "graph/user_item_graph.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/link_graph.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

constexpr EdgeWeight kWeights[] = {EdgeWeight::ones, EdgeWeight::sum, EdgeWeight::log_sum,
                                   EdgeWeight::maximum};

std::map<std::pair<NodeId, NodeId>, float> edges_by_map(const Interactions& log,
                                                        EdgeWeight weight) {
  std::map<std::pair<NodeId, NodeId>, float> edges;
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    const float value = log.weight.empty() ? 1.0F : log.weight[row];
    float& edge = edges[{log.user[row], log.item[row]}];
    edge = weight == EdgeWeight::maximum ? std::max(edge, value) : edge + value;
  }
  for (auto& [pair, value] : edges) {
    if (weight == EdgeWeight::ones) value = 1.0F;
    if (weight == EdgeWeight::log_sum) value = std::log1p(value);
  }
  return edges;
}

TEST(UserItemGraph, OfOrderedPartsIsThatOfAllTheirRows) {
  for (const std::int64_t rows : {0, 1, 30, 5000}) {
    std::vector<Interactions> parts = {random_log(40, 25, rows, 41), random_log(40, 25, 7, 42)};
    TrainingPart all;
    std::vector<PartRows> columns;
    for (Interactions& part : parts) {
      std::vector<std::pair<NodeId, NodeId>> pairs;
      for (std::size_t row = 0; row < part.user.size(); ++row)
        pairs.emplace_back(part.user[row], part.item[row]);
      std::stable_sort(pairs.begin(), pairs.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (std::size_t row = 0; row < pairs.size(); ++row) {
        std::tie(part.user[row], part.item[row]) = pairs[row];
        all.interactions.user.push_back(pairs[row].first);
        all.interactions.item.push_back(pairs[row].second);
      }
      columns.push_back({part.user, part.item});
    }
    const UserItemGraph want = build_user_item_graph(all, 43, 27);
    const UserItemGraph got = link_users_and_items(columns, 43, 27);
    expect_equal(got.user_items, want.user_items);
    expect_equal(got.item_users, want.item_users);
    EXPECT_EQ(got.num_users, 43);
    EXPECT_EQ(got.num_items, 27);
  }
  const std::vector<NodeId> users = {1, 0};
  const std::vector<NodeId> items = {0, 3};
  const auto refused = [&](std::vector<PartRows> parts) {
    EXPECT_THROW(link_users_and_items(parts, 2, 3), InputError);
  };
  refused({{users, std::span(items).first(1)}});
  refused({{users, users}});  // out of order
  refused({{users, items}});
}

TEST(UserItemGraph, AgreesWithAMapForEveryWeight) {
  for (const EdgeWeight weight : kWeights) {
    for (const std::int64_t rows : {1, 30, 5000}) {
      for (const bool has_weights : {true, false}) {
        TrainingPart train{random_log(40, 25, rows, 41)};
        if (!has_weights) train.interactions.weight.clear();
        const UserItemGraph graph = build_user_item_graph(train, 43, 27, {weight});
        EXPECT_EQ(graph.num_users, 43);
        EXPECT_EQ(graph.num_items, 27);
        EXPECT_EQ(graph.user_items.num_rows, 43);
        EXPECT_EQ(graph.user_items.num_cols, 27);
        validate(graph.user_items.view());
        EXPECT_EQ(entries_of(graph.user_items.view()), edges_by_map(train.interactions, weight));
        expect_equal(transpose(graph.user_items.view()), graph.item_users);
      }
    }
  }
}

TEST(UserItemGraph, RepeatsCombine) {
  TrainingPart train;
  train.interactions.user = {0, 0, 0, 1};
  train.interactions.item = {1, 0, 1, 1};
  train.interactions.weight = {2.0F, 5.0F, 3.0F, 0.5F};
  const auto values = [&](EdgeWeight weight) {
    return build_user_item_graph(train, 2, 2, {weight}).user_items.values;
  };
  EXPECT_TRUE(values(EdgeWeight::ones).empty()) << "ones need no values";
  EXPECT_EQ(values(EdgeWeight::sum), (std::vector<float>{5.0F, 5.0F, 0.5F}));
  EXPECT_EQ(values(EdgeWeight::maximum), (std::vector<float>{5.0F, 3.0F, 0.5F}));
  EXPECT_FLOAT_EQ(values(EdgeWeight::log_sum)[2], 0.40546511F);  // ln 1.5
  EXPECT_EQ(build_user_item_graph(train, 2, 2).user_items.columns, (std::vector<NodeId>{0, 1, 1}));
}

TEST(UserItemGraph, AnEmptyLogLeavesEmptyRows) {
  for (const EdgeWeight weight : kWeights) {
    for (const auto& [users, items] : {std::pair{0, 0}, {3, 0}, {0, 2}, {3, 2}}) {
      const UserItemGraph graph = build_user_item_graph({}, users, items, {weight});
      expect_equal(graph.user_items, csr_from_entries(users, items, {}));
      expect_equal(graph.item_users, csr_from_entries(items, users, {}));
    }
  }
}

TEST(UserItemGraph, RefusesIdsOutsideTheDictionaries) {
  for (const auto& [user, item] : {std::pair{3, 0}, {-1, 0}, {0, 2}, {0, -1}}) {
    TrainingPart train;
    train.interactions.user = {0, user};
    train.interactions.item = {0, item};
    EXPECT_THROW(build_user_item_graph(train, 3, 2), InputError) << user << ", " << item;
  }
}

}  // namespace
}  // namespace penchant::graph
