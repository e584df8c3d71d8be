// SPDX-License-Identifier: Apache-2.0
#include "graph/rmat.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "graph/edge_blocks.h"
#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

TEST(Rmat, IsAPatternWithoutSelfLoops) {
  for (const bool symmetric : {true, false}) {
    const Csr graph = generate_rmat({.scale = 10, .edge_factor = 8, .symmetric = symmetric});
    validate(graph.view());
    EXPECT_EQ(graph.num_rows, 1024);
    EXPECT_TRUE(graph.values.empty());
    EXPECT_EQ(is_symmetric(graph.view()), symmetric);
    EXPECT_GT(graph.view().num_entries(), 1024 * 4);
    EXPECT_LE(graph.view().num_entries(), 1024 * 8 * (symmetric ? 2 : 1));
    for (NodeId node = 0; node < 1024; ++node) {
      const auto row = graph.view().row(node);
      ASSERT_EQ(std::count(row.begin(), row.end(), node), 0);
    }
  }
}

TEST(Rmat, DependsOnTheSeedAndNotOnThreads) {
  const Csr graph = generate_rmat({.scale = 12});
  expect_equal(generate_rmat({.scale = 12}), graph);
  EXPECT_NE(generate_rmat({.scale = 12, .seed = Seed{43}}).columns, graph.columns);
  for (const int threads : {1, 2, 3}) {
    ThreadCount several(threads);
    expect_equal(generate_rmat({.scale = 12}), graph);
  }
}

TEST(Rmat, SymmetricIsTheUnionOfBothDirections) {
  const Csr directed = generate_rmat({.scale = 8, .symmetric = false});
  auto want = entries_of(directed.view());
  for (const auto& [place, value] : entries_of(transpose(directed.view()).view()))
    want[place] = value;
  EXPECT_EQ(entries_of(generate_rmat({.scale = 8}).view()), want);
}

// With edges this thin few are drawn twice (7 expected of 16384), so that a quadrant's share is its
// probability.
TEST(Rmat, QuadrantsHaveTheirProbabilities) {
  constexpr NodeId kNodes = 1 << 14;
  const Csr graph = generate_rmat(
      {.scale = 14, .edge_factor = 1, .a = 0.1, .b = 0.4, .c = 0.2, .symmetric = false});
  constexpr std::array<double, 4> kShare = {0.1, 0.4, 0.2, 0.3};
  for (const NodeId bit : {NodeId{1}, NodeId{1 << 6}, NodeId{1 << 13}}) {
    std::array<std::int64_t, 4> count{};
    for (const auto& [place, value] : entries_of(graph.view())) {
      ++count[(place.first & bit ? 2U : 0U) + (place.second & bit ? 1U : 0U)];
    }
    for (std::size_t quadrant = 0; quadrant < 4; ++quadrant) {
      const double share = kShare[quadrant];
      EXPECT_NEAR(static_cast<double>(count[quadrant]), kNodes * share,
                  5 * std::sqrt(kNodes * share * (1 - share)) + 20)
          << "quadrant " << quadrant << " of bit " << bit;
    }
  }
}

TEST(Rmat, CertainQuadrantsGiveOneCorner) {
  const std::map<std::pair<NodeId, NodeId>, float> upper_right = {{{0, 31}, 1.0F}};
  const std::map<std::pair<NodeId, NodeId>, float> lower_left = {{{31, 0}, 1.0F}};
  const auto entries = [](double a, double b, double c) {
    return entries_of(
        generate_rmat({.scale = 5, .a = a, .b = b, .c = c, .symmetric = false}).view());
  };
  EXPECT_EQ(entries(0, 1, 0), upper_right);
  EXPECT_EQ(entries(0, 0, 1), lower_left);
  EXPECT_TRUE(entries(1, 0, 0).empty()) << "only self loops at node 0";
}

TEST(Rmat, OfNothingIsEmpty) {
  expect_equal(generate_rmat({.scale = 0}), Csr{1, 1, {0, 0}, {}, {}});
  expect_equal(generate_rmat({.scale = 2, .edge_factor = 0}), Csr{4, 4, {0, 0, 0, 0, 0}, {}, {}});
}

TEST(Rmat, RefusesImpossibleOptions) {
  for (const RmatOptions& bad :
       {RmatOptions{.scale = -1}, RmatOptions{.scale = 31},
        RmatOptions{.scale = 2, .edge_factor = -1}, RmatOptions{.scale = 2, .a = -0.1},
        RmatOptions{.scale = 2, .b = -0.1}, RmatOptions{.scale = 2, .c = -0.1},
        RmatOptions{.scale = 2, .a = 0.9}, RmatOptions{.scale = 2, .a = std::nan("")}}) {
    EXPECT_THROW(generate_rmat(bad), InputError);
  }
}

TEST(Rmat, ScrambledIsTheSameGraphWithOtherIds) {
  const Csr plain = generate_rmat({.scale = 9});
  const Csr scrambled = generate_rmat({.scale = 9, .scramble = true});
  validate(scrambled.view());
  EXPECT_TRUE(is_symmetric(scrambled.view()));
  EXPECT_NE(scrambled.columns, plain.columns);
  const auto degrees = [](const Csr& graph) {
    std::vector<std::int64_t> sizes;
    for (std::int64_t row = 0; row < graph.num_rows; ++row)
      sizes.push_back(graph.view().row_size(row));
    return sizes;
  };
  std::vector<std::int64_t> before = degrees(plain);
  std::vector<std::int64_t> after = degrees(scrambled);
  EXPECT_NE(std::max_element(after.begin(), after.end()) - after.begin(), 0)
      << "node 0 is the largest hub without it";
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  EXPECT_EQ(before, after);
}

TEST(Bipartite, JoinsUsersWithItemsOnly) {
  const Csr graph = generate_bipartite({.scale = 10, .edge_factor = 8});
  validate(graph.view());
  EXPECT_TRUE(is_symmetric(graph.view()));
  EXPECT_EQ(graph.num_rows, 1024);
  for (std::int64_t row = 0; row < graph.num_rows; ++row) {
    for (const NodeId column : graph.view().row(row)) ASSERT_NE(row < 512, column < 512);
  }
  ThreadCount one(1);
  expect_equal(generate_bipartite({.scale = 10, .edge_factor = 8}), graph);
}

// Of 2^14 draws over 512 ranks with exponent e, rank 0 gets (1.5^(1-e) - 0.5^(1-e)) / (512.5^(1-e)
// - 0.5^(1-e)) of them; the graph keeps each pair once, so that the counts can only be lower.
TEST(Bipartite, DegreesFollowThePowerLaw) {
  const Csr graph = generate_bipartite(
      {.scale = 10, .edge_factor = 16, .user_exponent = 0.0, .item_exponent = 0.8});
  std::vector<std::int64_t> degrees;
  for (std::int64_t row = 512; row < 1024; ++row) degrees.push_back(graph.view().row_size(row));
  std::sort(degrees.rbegin(), degrees.rend());
  const auto share = [](double from, double to) {
    const auto integral = [](double x) { return std::pow(x, 0.2); };
    return (integral(to) - integral(from)) / (integral(512.5) - integral(0.5));
  };
  const double drawn = 16384 * share(0.5, 1.5);
  const double distinct = 512 * (1 - std::exp(-drawn / 512));  // pairs kept once
  EXPECT_NEAR(static_cast<double>(degrees[0]), distinct, 5 * std::sqrt(distinct));
  EXPECT_GT(degrees[0], 10 * degrees[400]);
}

TEST(EdgeBlocks, CountsAndFillsAnyEdges) {
  // 10,000 edges over 50 rows and 70 columns, a third of them none.
  const auto draw = [](std::int64_t k) {
    const auto row = static_cast<NodeId>(k * k % 53);
    return row >= 50 || k % 3 == 0 ? Edge{kNoNode, kNoNode}
                                   : Edge{row, static_cast<NodeId>(k * 31 % 70)};
  };
  std::map<std::pair<NodeId, NodeId>, float> want;
  for (std::int64_t k = 0; k < 10000; ++k) {
    if (draw(k).row != kNoNode) want[{draw(k).row, draw(k).column}] = 1.0F;
  }
  const Csr csr = csr_from_edge_blocks(
      50, 70, 10000,
      [&](std::int64_t first, std::span<Edge> block) {
        for (std::size_t k = 0; k < block.size(); ++k)
          block[k] = draw(first + static_cast<std::int64_t>(k));
      },
      Direction::as_drawn);
  validate(csr.view());
  EXPECT_EQ(entries_of(csr.view()), want);
}

}  // namespace
}  // namespace penchant::graph
