// SPDX-License-Identifier: Apache-2.0
// Wanted values come from dense loops in double.
#include "graph/normalize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

using Dense = std::vector<std::vector<double>>;

Dense zeros(std::int64_t rows, std::int64_t cols) {
  return Dense(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(cols)));
}

/// Adds `matrix` to the block of `dense` that starts at (row_offset, column_offset).
void add_block(Dense& dense, const Csr& matrix, std::int64_t row_offset = 0,
               std::int64_t column_offset = 0) {
  for (const auto& [place, value] : entries_of(matrix.view())) {
    dense[static_cast<std::size_t>(place.first + row_offset)]
         [static_cast<std::size_t>(place.second + column_offset)] += value;
  }
}

Dense dense_of(const Csr& matrix) {
  Dense dense = zeros(matrix.num_rows, matrix.num_cols);
  add_block(dense, matrix);
  return dense;
}

/// D^-1/2 A D^-1/2, added to `sum` with a weight.
void add_normalized(Dense& sum, const Dense& matrix, double weight) {
  std::vector<double> degree;
  for (const auto& row : matrix) degree.push_back(std::accumulate(row.begin(), row.end(), 0.0));
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (std::size_t j = 0; j < matrix.size(); ++j) {
      if (matrix[i][j] != 0.0)
        sum[i][j] += weight * matrix[i][j] / std::sqrt(degree[i] * degree[j]);
    }
  }
}

/// Same pattern, and every value within `roundings` units of `want`'s last float place. All terms
/// are positive.
void expect_close(const Csr& got, const Dense& want, double roundings) {
  validate(got.view());
  std::int64_t nonzeros = 0;
  for (const auto& row : want)
    nonzeros += std::count_if(row.begin(), row.end(), [](double x) { return x != 0.0; });
  EXPECT_EQ(got.view().num_entries(), nonzeros);
  ASSERT_EQ(got.num_rows, static_cast<std::int64_t>(want.size()));
  for (const auto& [place, value] : entries_of(got.view())) {
    const double wanted =
        want[static_cast<std::size_t>(place.first)][static_cast<std::size_t>(place.second)];
    EXPECT_TRUE(std::abs(value - wanted) <= roundings * kEpsilon / 2 * std::abs(wanted))
        << "(" << place.first << ", " << place.second << "): " << value << ", wanted " << wanted;
  }
}

/// Symmetric with values, some isolated nodes and some self loops.
Csr random_weighted(std::int64_t num_nodes, std::int64_t num_edges, std::uint64_t seed) {
  std::vector<Entry> entries = random_entries(num_nodes, num_nodes, num_edges, seed);
  const std::size_t count = entries.size();
  for (std::size_t e = 0; e < count; ++e) {
    entries.push_back({entries[e].column, entries[e].row, entries[e].value});
  }
  return csr_from_entries(num_nodes, num_nodes, entries);
}

TEST(NormalizeSymmetric, EqualsTheDenseFormula) {
  for (const auto& [nodes, edges] :
       {std::pair{0, 0}, {1, 0}, {1, 1}, {7, 4}, {60, 50}, {80, 2000}}) {
    for (const bool has_values : {true, false}) {
      for (const SelfLoops self_loops : {SelfLoops::no, SelfLoops::yes}) {
        Csr matrix = random_weighted(nodes, edges, 31);
        if (!has_values) matrix.values.clear();
        Dense dense = dense_of(matrix);
        if (self_loops == SelfLoops::yes) {
          for (std::size_t i = 0; i < dense.size(); ++i) dense[i][i] += 1.0;
        }
        Dense want = zeros(nodes, nodes);
        add_normalized(want, dense, 1.0);
        const Csr got = normalize_symmetric(matrix.view(), self_loops);
        expect_close(got, want, 4.0);  // two roots, their product, the product with the entry
        EXPECT_TRUE(is_symmetric(got.view())) << "(i, j) and (j, i) must have equal bits";
      }
    }
  }
}

TEST(NormalizeSymmetric, AnIsolatedNodeKeepsItsSelfLoopOnly) {
  const Csr path = undirected(3, {{0, 1}});
  EXPECT_EQ(normalize_symmetric(path.view(), SelfLoops::no).view().row_size(2), 0);
  const Csr looped = normalize_symmetric(path.view(), SelfLoops::yes);
  EXPECT_EQ(entries_of(looped.view()).at({2, 2}), 1.0F);
}

TEST(NormalizeSymmetric, RefusesARectangle) {
  EXPECT_THROW(normalize_symmetric(random_csr(3, 4, 5, 1).view(), SelfLoops::no), InputError);
  EXPECT_THROW(normalize_symmetric(random_csr(3, 4, 5, 1).view(), SelfLoops::yes), InputError);
}

TEST(NormalizeRows, DividesByTheRowSum) {
  for (const auto& [rows, cols, count] :
       {std::tuple{0, 0, 0}, {3, 0, 0}, {1, 1, 1}, {40, 9, 30}, {9, 40, 900}}) {
    for (const bool has_values : {true, false}) {
      Csr matrix = random_csr(rows, cols, count, 32);
      if (!has_values) matrix.values.clear();
      Dense want = dense_of(matrix);
      for (auto& row : want) {
        const double sum = std::accumulate(row.begin(), row.end(), 0.0);
        for (double& value : row) value = sum > 0.0 ? value / sum : 0.0;
      }
      expect_close(normalize_rows(matrix.view()), want, 1.0);
    }
  }
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
    items.relations.push_back({"co-occurrence", 0.5F, 0, random_weighted(6, 7, 33)});
    items.relations.push_back({"colour", 0.75F, 2, random_csr(6, 2, 5, 34)});
    items.relations.push_back({"bought next", 1.25F, 0, undirected(6, {{0, 3}, {3, 5}, {1, 2}})});
    items.relations.push_back({"brand", 2.0F, 3, {6, 3, {0, 1, 2, 2, 3, 3, 3}, {0, 2, 0}, {}}});
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

TEST(PropagationGraph, OfNothingIsEmpty) {
  const PropagationGraph graph = build_propagation_graph(build_user_item_graph({}, 0, 0), {});
  validate(graph.adjacency.view());
  EXPECT_EQ(graph.num_nodes(), 0);
  const PropagationGraph silent = build_propagation_graph(build_user_item_graph({}, 3, 2), {2, {}});
  validate(silent.adjacency.view());
  EXPECT_EQ(silent.adjacency.num_rows, 5);
  EXPECT_EQ(silent.adjacency.view().num_entries(), 0);
}

std::vector<NodeId> shuffled(std::int64_t size) {
  const Permutation permutation(Seed{35}, Stream::shuffle, 0, static_cast<std::uint64_t>(size));
  std::vector<NodeId> order;
  for (std::uint64_t i = 0; i < permutation.size(); ++i)
    order.push_back(static_cast<NodeId>(permutation(i)));
  return order;
}

TEST(InvertPermutation, GivesThePlaceOfEachNode) {
  EXPECT_TRUE(invert_permutation({}).empty());
  EXPECT_EQ(invert_permutation(std::vector<NodeId>{2, 0, 3, 1}), (std::vector<NodeId>{1, 3, 0, 2}));
  const std::vector<NodeId> order = shuffled(1000);
  EXPECT_EQ(invert_permutation(invert_permutation(order)), order);
}

TEST(InvertPermutation, RefusesWhatIsNotAPermutation) {
  for (const std::vector<NodeId>& bad : {std::vector<NodeId>{1}, {-1}, {0, 0}, {0, 2}, {1, 0, 3}}) {
    EXPECT_THROW(invert_permutation(bad), InputError);
  }
}

TEST(ReorderSymmetric, MovesEveryEntryAndBack) {
  for (const auto& [nodes, edges] : {std::pair{0, 0}, {1, 1}, {9, 0}, {70, 400}}) {
    for (const bool has_values : {true, false}) {
      Csr matrix = random_weighted(nodes, edges, 36);
      if (!has_values) matrix.values.clear();
      const std::vector<NodeId> order = shuffled(nodes);
      const Csr moved = reorder_symmetric(matrix.view(), order);
      validate(moved.view());
      EXPECT_EQ(moved.values.empty(), matrix.values.empty());
      std::map<std::pair<NodeId, NodeId>, float> want;
      for (const auto& [place, value] : entries_of(moved.view())) {
        want[{order[static_cast<std::size_t>(place.first)],
              order[static_cast<std::size_t>(place.second)]}] = value;
      }
      EXPECT_EQ(want, entries_of(matrix.view()));
      expect_equal(reorder_symmetric(moved.view(), invert_permutation(order)), matrix);
    }
  }
}

// Degrees are sums of quarters and hence exact in any order.
TEST(ReorderSymmetric, CommutesWithNormalization) {
  const Csr matrix = random_weighted(90, 500, 37);
  const std::vector<NodeId> order = shuffled(90);
  expect_equal(normalize_symmetric(reorder_symmetric(matrix.view(), order).view(), SelfLoops::yes),
               reorder_symmetric(normalize_symmetric(matrix.view(), SelfLoops::yes).view(), order));
}

TEST(ReorderSymmetric, RefusesAnOrderThatDoesNotFit) {
  const Csr matrix = random_weighted(3, 4, 38);
  for (const std::vector<NodeId>& bad :
       {std::vector<NodeId>{}, {0, 1}, {0, 1, 2, 3}, {0, 1, 1}, {0, 1, 3}, {0, -1, 2}}) {
    EXPECT_THROW(reorder_symmetric(matrix.view(), bad), InputError);
  }
  EXPECT_THROW(reorder_symmetric(random_csr(3, 4, 5, 1).view(), std::vector<NodeId>{0, 1, 2}),
               InputError);
}

TEST(DegreeOrder, DescendsAndBreaksTiesById) {
  EXPECT_TRUE(degree_order(Csr{}.view()).empty());
  const Csr matrix = random_csr(400, 30, 900, 39);
  std::vector<std::pair<std::int64_t, NodeId>> keys;
  for (NodeId node = 0; node < 400; ++node) keys.emplace_back(-matrix.view().row_size(node), node);
  std::sort(keys.begin(), keys.end());
  std::vector<NodeId> want;
  for (const auto& key : keys) want.push_back(key.second);
  EXPECT_EQ(degree_order(matrix.view()), want);
}

}  // namespace
}  // namespace penchant::graph
