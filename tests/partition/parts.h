// SPDX-License-Identifier: Apache-2.0
// A graph with planted communities and what the tests of partition/ ask of an assignment.
#pragma once

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "tests/graph/graphs.h"

namespace penchant::partition {

/// Node n belongs to community n mod `communities`; pairs inside are edges with probability 0.3,
/// others with 0.01.
inline graph::Csr planted_graph(graph::NodeId num_nodes, graph::NodeId communities) {
  const graph::Random random(graph::Seed{71}, graph::Stream::generator);
  std::vector<std::pair<graph::NodeId, graph::NodeId>> edges;
  std::uint64_t position = 0;
  for (graph::NodeId i = 0; i < num_nodes; ++i) {
    for (graph::NodeId j = 0; j < i; ++j) {
      const double probability = i % communities == j % communities ? 0.3 : 0.01;
      if (random.uniform(position++) < probability) edges.emplace_back(i, j);
    }
  }
  return graph::undirected(num_nodes, edges);
}

/// Nodes of each part; fails if a part is out of range or a node is missing.
inline std::vector<std::int64_t> sizes_of(const std::vector<graph::NodeId>& parts,
                                          std::int64_t num_nodes, std::int64_t num_parts) {
  EXPECT_EQ(static_cast<std::int64_t>(parts.size()), num_nodes);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(num_parts), 0);
  for (const graph::NodeId part : parts) {
    EXPECT_TRUE(part >= 0 && part < num_parts) << part;
    if (part >= 0 && part < num_parts) ++sizes[static_cast<std::size_t>(part)];
  }
  return sizes;
}

}  // namespace penchant::partition
