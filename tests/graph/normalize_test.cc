// SPDX-License-Identifier: Apache-2.0
// Wanted values come from dense loops in double.
#include "graph/normalize.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/dense.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

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
