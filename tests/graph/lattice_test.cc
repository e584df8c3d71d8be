// SPDX-License-Identifier: Apache-2.0
#include "graph/lattice.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

//  0  1  2  3
//  4  5  6  7     scale 4: four lines of four
//  8  9 10 11
// 12 13 14 15
TEST(Lattice, TwoEdgesANodeAreTheFourNeighboursOnItsLinesAndColumns) {
  const Csr graph = generate_lattice({.scale = 4, .edge_factor = 2});
  validate(graph.view());
  const auto row = [&](std::int64_t node) {
    const auto columns = graph.view().row(node);
    return std::vector<NodeId>(columns.begin(), columns.end());
  };
  EXPECT_EQ(row(0), (std::vector<NodeId>{1, 4}));
  EXPECT_EQ(row(6), (std::vector<NodeId>{2, 5, 7, 10}));
  EXPECT_EQ(row(15), (std::vector<NodeId>{11, 14}));
}

/// The distances, squared, of a node's neighbours are the smallest there are.
TEST(Lattice, NeighboursAreTheNearest) {
  for (const std::int64_t edge_factor : {1, 4, 7, 16, 40, 100}) {
    const Csr graph = generate_lattice({.scale = 11, .edge_factor = edge_factor});
    validate(graph.view());
    EXPECT_TRUE(is_symmetric(graph.view()));
    EXPECT_TRUE(graph.values.empty());
    constexpr std::int64_t kPlaces = 64;  // 32 lines of 64
    const std::int64_t middle = 16 * kPlaces + 32;
    const auto squared = [](std::int64_t from, std::int64_t to) {
      const std::int64_t lines = to / kPlaces - from / kPlaces;
      const std::int64_t places = to % kPlaces - from % kPlaces;
      return lines * lines + places * places;
    };
    std::vector<std::int64_t> all;
    for (std::int64_t node = 0; node < graph.num_rows; ++node) {
      if (node != middle) all.push_back(squared(middle, node));
    }
    std::sort(all.begin(), all.end());
    all.resize(static_cast<std::size_t>(2 * edge_factor));
    std::vector<std::int64_t> got;
    for (const NodeId node : graph.view().row(middle)) got.push_back(squared(middle, node));
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, all) << edge_factor;
  }
}

TEST(Lattice, SmallestAndWrongSizes) {
  const Csr one = generate_lattice({.scale = 0, .edge_factor = 4});
  EXPECT_EQ(one.num_rows, 1);
  EXPECT_TRUE(one.columns.empty());
  EXPECT_TRUE(generate_lattice({.scale = 6, .edge_factor = 0}).columns.empty());
  EXPECT_THROW(generate_lattice({.scale = 31}), InputError);
  EXPECT_THROW(generate_lattice({.scale = 4, .edge_factor = -1}), InputError);
  EXPECT_THROW(generate_lattice({.scale = 4, .edge_factor = 1025}), InputError);
}

}  // namespace
}  // namespace penchant::graph
