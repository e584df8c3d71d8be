// SPDX-License-Identifier: Apache-2.0
#include "graph/analysis.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

/// Row r has degrees[r] entries, in its first columns.
Csr with_degrees(const std::vector<NodeId>& degrees, std::int64_t num_cols) {
  std::vector<Entry> entries;
  for (std::size_t row = 0; row < degrees.size(); ++row) {
    for (NodeId column = 0; column < degrees[row]; ++column) {
      entries.push_back({static_cast<NodeId>(row), column, 1.0F});
    }
  }
  return csr_from_entries(static_cast<std::int64_t>(degrees.size()), num_cols, entries);
}

/// Mean absolute difference of two nodes' degrees over twice the mean: Gini's own definition.
double gini_by_pairs(const std::vector<NodeId>& degrees) {
  double differences = 0.0;
  double total = 0.0;
  for (const NodeId a : degrees) {
    total += a;
    for (const NodeId b : degrees) differences += std::abs(a - b);
  }
  return differences / (2.0 * static_cast<double>(degrees.size()) * total);
}

TEST(Degrees, SummaryOfDescendingDegrees) {
  std::vector<NodeId> degrees;
  for (NodeId degree = 100; degree >= 0; --degree) degrees.push_back(degree);
  const DegreeSummary summary = summarize_degrees(with_degrees(degrees, 100).view());
  EXPECT_EQ(summary.minimum, 0);
  EXPECT_EQ(summary.median, 50);
  EXPECT_EQ(summary.p90, 90);
  EXPECT_EQ(summary.p99, 99);
  EXPECT_EQ(summary.maximum, 100);
  EXPECT_EQ(summary.isolated, 1);
  EXPECT_DOUBLE_EQ(summary.mean, 50.0);
  EXPECT_NEAR(summary.gini, gini_by_pairs(degrees), 1e-12);
}

TEST(Degrees, GiniSeparatesEqualFromConcentrated) {
  for (const std::vector<NodeId>& degrees :
       {std::vector<NodeId>{7}, {4, 4, 4, 4}, {0, 0, 0, 9}, {3, 1, 4, 1, 5, 9, 2, 6}}) {
    EXPECT_NEAR(summarize_degrees(with_degrees(degrees, 9).view()).gini, gini_by_pairs(degrees),
                1e-12);
  }
  EXPECT_NEAR(summarize_degrees(with_degrees({0, 0, 0, 9}, 9).view()).gini, 0.75, 1e-12);
}

TEST(Degrees, NothingToSummarize) {
  const DegreeSummary none = summarize_degrees(Csr{}.view());
  EXPECT_EQ(none.isolated, 0);
  EXPECT_EQ(none.mean, 0.0);
  const DegreeSummary bare = summarize_degrees(with_degrees({0, 0, 0}, 2).view());
  EXPECT_EQ(bare.isolated, 3);
  EXPECT_EQ(bare.maximum, 0);
  EXPECT_EQ(bare.mean, 0.0);
  EXPECT_EQ(bare.gini, 0.0);
}

//  0 --- 3     1 --- 2 --- 4 --- 6     5
//   \   /             \   /
//    \ /               \ /
//     8                 7
Csr drawn() {
  return undirected(9, {{0, 3}, {0, 8}, {3, 8}, {1, 2}, {2, 4}, {4, 6}, {2, 7}, {4, 7}});
}

TEST(Components, OfADrawnGraph) {
  const Components components = connected_components(drawn().view());
  EXPECT_EQ(components.component, (std::vector<NodeId>{0, 1, 1, 0, 1, 2, 1, 1, 0}));
  EXPECT_EQ(components.count, 3);
  EXPECT_EQ(components.largest, 5);
}

TEST(CoreNumbers, OfADrawnGraph) {
  EXPECT_EQ(core_numbers(drawn().view()), (std::vector<NodeId>{2, 1, 2, 2, 2, 0, 1, 2, 2}));
}

/// Every node takes its neighbours' smallest label until nothing changes; labels are then numbered.
std::vector<NodeId> components_by_relaxation(const CsrView& graph) {
  std::vector<NodeId> label;
  for (NodeId node = 0; node < graph.num_rows; ++node) label.push_back(node);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t node = 0; node < label.size(); ++node) {
      for (const NodeId neighbour : graph.row(static_cast<std::int64_t>(node))) {
        const NodeId other = label[static_cast<std::size_t>(neighbour)];
        if (other < label[node]) {
          label[node] = other;
          changed = true;
        }
      }
    }
  }
  std::vector<NodeId> roots;
  for (NodeId& of_node : label) {
    const auto known = std::find(roots.begin(), roots.end(), of_node);
    const auto number = static_cast<NodeId>(known - roots.begin());
    if (known == roots.end()) roots.push_back(of_node);
    of_node = number;
  }
  return label;
}

/// For k = 1, 2, ...: nodes with fewer than k living neighbours die until none is left to;
/// survivors have core k or more.
std::vector<NodeId> cores_by_peeling(const CsrView& graph) {
  std::vector<NodeId> core(static_cast<std::size_t>(graph.num_rows), 0);
  std::vector<bool> alive(core.size(), true);
  for (NodeId k = 1; std::find(alive.begin(), alive.end(), true) != alive.end(); ++k) {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t node = 0; node < alive.size(); ++node) {
        const auto row = graph.row(static_cast<std::int64_t>(node));
        const auto living = std::count_if(row.begin(), row.end(), [&](NodeId neighbour) {
          return alive[static_cast<std::size_t>(neighbour)];
        });
        if (alive[node] && living < k) {
          alive[node] = false;
          changed = true;
        }
      }
    }
    for (std::size_t node = 0; node < alive.size(); ++node) {
      if (alive[node]) core[node] = k;
    }
  }
  return core;
}

TEST(Components, AgreeWithRelaxation) {
  for (const std::int64_t num_edges : {0, 1, 40, 150, 250, 2000}) {
    const Csr graph = random_undirected(300, num_edges, 21);
    const Components components = connected_components(graph.view());
    const std::vector<NodeId> want = components_by_relaxation(graph.view());
    EXPECT_EQ(components.component, want) << num_edges << " edges";
    EXPECT_EQ(components.count, *std::max_element(want.begin(), want.end()) + 1);
    std::int64_t largest = 0;
    for (const NodeId number : want) {
      largest = std::max<std::int64_t>(largest, std::count(want.begin(), want.end(), number));
    }
    EXPECT_EQ(components.largest, largest);
  }
}

TEST(CoreNumbers, AgreeWithPeeling) {
  for (const std::int64_t num_edges : {0, 1, 150, 600, 3000, 20000}) {
    const Csr graph = random_undirected(200, num_edges, 22);
    EXPECT_EQ(core_numbers(graph.view()), cores_by_peeling(graph.view())) << num_edges << " edges";
  }
}

TEST(Analysis, AnswersAnEmptyGraph) {
  const Components components = connected_components(Csr{}.view());
  EXPECT_TRUE(components.component.empty());
  EXPECT_EQ(components.count, 0);
  EXPECT_EQ(components.largest, 0);
  EXPECT_TRUE(core_numbers(Csr{}.view()).empty());
}

TEST(Analysis, RefusesARectangle) {
  const Csr rectangle = random_csr(3, 4, 6, 1);
  EXPECT_THROW(connected_components(rectangle.view()), InputError);
  EXPECT_THROW(core_numbers(rectangle.view()), InputError);
}

TEST(BipartiteAdjacency, HasBothBlocksAndNothingElse) {
  for (const auto& [rows, cols, count] : {std::tuple{1, 1, 1},
                                          {13, 7, 40},
                                          {5, 90, 60},
                                          {4, 3, 0},
                                          {0, 3, 0},
                                          {3, 0, 0},
                                          {0, 0, 0}}) {
    for (const bool has_values : {true, false}) {
      Csr block = random_csr(rows, cols, count, 23);
      if (!has_values) block.values.clear();
      const Csr square = bipartite_adjacency(block.view());
      validate(square.view());
      EXPECT_EQ(square.num_rows, rows + cols);
      EXPECT_EQ(square.num_cols, rows + cols);
      EXPECT_EQ(square.values.empty(), block.values.empty());
      std::map<std::pair<NodeId, NodeId>, float> want;
      for (const auto& [place, value] : entries_of(block.view())) {
        want[{place.first, place.second + rows}] = value;
        want[{place.second + rows, place.first}] = value;
      }
      EXPECT_EQ(entries_of(square.view()), want);
    }
  }
}

}  // namespace
}  // namespace penchant::graph
