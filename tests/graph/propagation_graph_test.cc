// SPDX-License-Identifier: Apache-2.0
// Wanted values come from dense loops in double, and from graphs drawn by hand.
#include "graph/propagation_graph.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/dense.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

Relation hubs(const char* name, float weight, Csr edges) {
  return {.name = name,
          .columns = NodeKind::hub,
          .weight = weight,
          .num_hubs = edges.num_cols,
          .edges = std::move(edges)};
}

/// Five users (one without a row), six items, two item-item relations that interleave, two
/// relations with hubs.
struct Example {
  UserItemGraph user_item;
  ItemGraph items;

  Example() {
    TrainingPart train;
    train.interactions.user = {0, 0, 0, 1, 1, 3, 4, 4};
    train.interactions.item = {0, 1, 5, 1, 1, 2, 5, 0};
    train.interactions.weight = {1.0F, 2.0F, 1.5F, 1.0F, 0.5F, 3.0F, 1.0F, 1.0F};
    user_item = build_user_item_graph(train, 5, 6, {EdgeWeight::sum});
    items.num_items = 6;
    items.relations = {
        {.name = "co-occurrence", .weight = 0.5F, .edges = random_weighted(6, 7, 33)},
        hubs("colour", 0.75F, random_csr(6, 2, 5, 34)),
        {.name = "bought next", .weight = 1.25F, .edges = undirected(6, {{0, 3}, {3, 5}, {1, 2}})},
        hubs("brand", 2.0F, {6, 3, {0, 1, 2, 2, 3, 3, 3}, {0, 2, 0}, {}})};
  }
};

TEST(PropagationGraph, IsTheWeightedSumOfNormalizedRelations) {
  const Example example;
  const PropagationGraph graph = build_propagation_graph(example.user_item, example.items);
  EXPECT_EQ(graph.num_users, 5);
  EXPECT_EQ(graph.num_items, 6);
  EXPECT_EQ(graph.num_hubs, 5);
  ASSERT_EQ(graph.num_nodes(), 16);

  Dense want = zeros(16, 16);
  std::int64_t hub = 11;
  const auto add = [&](const Csr& edges, std::int64_t row_offset, std::int64_t column_offset,
                       double weight) {
    Dense relation = zeros(16, 16);
    add_block(relation, edges, row_offset, column_offset);
    if (row_offset != column_offset)
      add_block(relation, transpose(edges.view()), column_offset, row_offset);
    add_normalized(want, relation, weight);
  };
  add(example.user_item.user_items, 0, 5, 1.0);
  for (const Relation& relation : example.items.relations) {
    add(relation.edges, 5, relation.num_hubs == 0 ? 5 : hub, relation.weight);
    hub += relation.num_hubs;
  }
  expect_close(graph.adjacency, want,
               6.0);  // as above, the relation's weight, the sum of two relations
  EXPECT_TRUE(is_symmetric(graph.adjacency.view()));
  EXPECT_EQ(graph.adjacency.view().row_size(2), 0) << "user 2 has no interaction";
}

//  u0 --- i0
//    \             LightGCN's eq. 3: 1 / sqrt(|N_u| |N_i|)
//  u1 --- i1
TEST(PropagationGraph, WithoutRelationsIsLightGcns) {
  TrainingPart train;
  train.interactions.user = {0, 0, 1};
  train.interactions.item = {0, 1, 1};
  const PropagationGraph graph =
      build_propagation_graph(build_user_item_graph(train, 2, 2), {2, {}});
  const float root_half = std::sqrt(0.5F);
  const std::map<std::pair<NodeId, NodeId>, float> want = {
      {{0, 2}, root_half}, {{0, 3}, 0.5F}, {{1, 3}, root_half},
      {{2, 0}, root_half}, {{3, 0}, 0.5F}, {{3, 1}, root_half}};
  const auto got = entries_of(graph.adjacency.view());
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [place, value] : want) EXPECT_FLOAT_EQ(got.at(place), value);
}

/// Every entry of the upper triangle, and that the lower one mirrors it.
void expect_edges(const PropagationGraph& graph,
                  const std::map<std::pair<NodeId, NodeId>, float>& want) {
  validate(graph.adjacency.view());
  EXPECT_TRUE(is_symmetric(graph.adjacency.view()));
  std::map<std::pair<NodeId, NodeId>, float> got = entries_of(graph.adjacency.view());
  std::erase_if(got, [](const auto& entry) { return entry.first.first > entry.first.second; });
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [place, value] : want) {
    ASSERT_TRUE(got.contains(place)) << place.first << ", " << place.second;
    EXPECT_FLOAT_EQ(got.at(place), value) << place.first << ", " << place.second;
  }
}

//  u0 --- u1 --- u2      friends, weight 3: nodes 0, 1, 2
//   |      |      |
//  i0     i1     i1      bought: nodes 3 and 4
TEST(PropagationGraph, TakesARelationOfUsers) {
  const std::vector<Relation> relations = {{.name = "bought",
                                            .rows = NodeKind::user,
                                            .columns = NodeKind::item,
                                            .edges = {3, 2, {0, 1, 2, 3}, {0, 1, 1}, {}}},
                                           {.name = "friends",
                                            .rows = NodeKind::user,
                                            .columns = NodeKind::user,
                                            .weight = 3.0F,
                                            .edges = undirected(3, {{0, 1}, {1, 2}})}};
  const PropagationGraph graph = build_propagation_graph({3, 2}, relations);
  EXPECT_EQ(graph.num_nodes(), 5);
  const float root_half = std::sqrt(0.5F);
  expect_edges(graph, {{{0, 1}, 3.0F * root_half},
                       {{1, 2}, 3.0F * root_half},
                       {{0, 3}, 1.0F},
                       {{1, 4}, root_half},
                       {{2, 4}, root_half}});
}

//  u0   u1        nodes 0, 1
//  i0 = i1 - i2   nodes 2, 3, 4; neighbours by vectors, similarity 2 (=) and 1 (-), weight 1/2
//  i0 -> colour 0 (node 5); u0, u1 -> city 1 (node 7), nobody -> city 0 (node 6)
TEST(PropagationGraph, TakesNeighboursOfItemsAndHubsOfUsers) {
  const std::vector<Relation> relations = {
      hubs("colour", 1.0F, {3, 1, {0, 1, 1, 1}, {0}, {}}),
      {.name = "alike",
       .weight = 0.5F,
       .edges = {3, 3, {0, 1, 3, 4}, {1, 0, 2, 1}, {2.0F, 2.0F, 1.0F, 1.0F}}},
      {.name = "city",
       .rows = NodeKind::user,
       .columns = NodeKind::hub,
       .weight = 2.0F,
       .num_hubs = 2,
       .edges = {2, 2, {0, 1, 2}, {1, 1}, {}}}};
  const PropagationGraph graph = build_propagation_graph({2, 3}, relations);
  EXPECT_EQ(graph.num_hubs, 3);
  const float root_half = std::sqrt(0.5F);
  expect_edges(graph, {{{2, 3}, 0.5F * 2.0F / std::sqrt(2.0F * 3.0F)},
                       {{3, 4}, 0.5F * 1.0F / std::sqrt(3.0F * 1.0F)},
                       {{2, 5}, 1.0F},
                       {{0, 7}, 2.0F * root_half},
                       {{1, 7}, 2.0F * root_half}});
}

TEST(PropagationGraph, RefusesEdgesThatDoNotFitTheirEnds) {
  const Csr one_way{2, 2, {0, 1, 1}, {1}, {}};
  const auto refused = [](const Relation& relation) {
    EXPECT_THROW(build_propagation_graph({3, 2}, std::span(&relation, 1)), InputError);
  };
  refused({.rows = NodeKind::user, .columns = NodeKind::user, .edges = undirected(2, {{0, 1}})});
  refused({.rows = NodeKind::user, .columns = NodeKind::item, .edges = one_way});
  refused({.rows = NodeKind::item, .columns = NodeKind::item, .edges = one_way});
  refused({.rows = NodeKind::hub, .columns = NodeKind::item, .edges = one_way});
}

TEST(PropagationGraph, OfNothingIsEmpty) {
  const PropagationGraph graph = build_propagation_graph(build_user_item_graph({}, 0, 0), {});
  validate(graph.adjacency.view());
  EXPECT_EQ(graph.num_nodes(), 0);
  const PropagationGraph silent = build_propagation_graph(build_user_item_graph({}, 3, 2), {2, {}});
  validate(silent.adjacency.view());
  EXPECT_EQ(silent.adjacency.num_rows, 5);
  EXPECT_EQ(silent.adjacency.view().num_entries(), 0);
}

}  // namespace
}  // namespace penchant::graph
