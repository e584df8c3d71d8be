// SPDX-License-Identifier: Apache-2.0
#include <tuple>

#include "graph/error.h"
#include "graph/normalize.h"
#include "partition/partition.h"
#include "tests/partition/parts.h"

namespace penchant::partition {
namespace {

using graph::Csr;
using graph::NodeId;

TEST(PartOrder, GroupsPartsAndDescendsByDegree) {
  const Csr graph = graph::random_undirected(300, 700, 80);
  const auto parts = partition_nodes(graph.view(), {.method = Method::random, .num_parts = 7});
  std::vector<std::tuple<NodeId, std::int64_t, NodeId>> keys;
  for (NodeId node = 0; node < 300; ++node) {
    keys.emplace_back(parts[static_cast<std::size_t>(node)], -graph.view().row_size(node), node);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<NodeId> want;
  for (const auto& key : keys) want.push_back(std::get<2>(key));
  EXPECT_EQ(part_order(graph.view(), parts, 7), want);
  EXPECT_TRUE(part_order(Csr{}.view(), {}, 2).empty());
}

TEST(PartOrder, RelabellingInvertsAndKeepsQuality) {
  const Csr graph = planted_graph(200, 5);
  const auto parts = partition_nodes(graph.view(), {.num_parts = 5});
  const std::vector<NodeId> order = part_order(graph.view(), parts, 5);
  const Csr moved = graph::reorder_symmetric(graph.view(), order);
  graph::expect_equal(graph::reorder_symmetric(moved.view(), graph::invert_permutation(order)),
                      graph);

  std::vector<NodeId> moved_parts;
  for (const NodeId old : order) moved_parts.push_back(parts[static_cast<std::size_t>(old)]);
  EXPECT_TRUE(std::is_sorted(moved_parts.begin(), moved_parts.end()));
  const Quality before = measure_quality(graph.view(), parts, 5);
  const Quality after = measure_quality(moved.view(), moved_parts, 5);
  EXPECT_EQ(after.edge_cut, before.edge_cut);
  EXPECT_EQ(after.halo, before.halo);
  EXPECT_EQ(after.edge_balance, before.edge_balance);
}

TEST(PartOrder, RefusesPartsOfAnotherGraph) {
  const Csr graph = graph::undirected(3, {{0, 1}});
  EXPECT_THROW(part_order(graph.view(), std::vector<NodeId>{0, 1}, 2), InputError);
  EXPECT_THROW(part_order(graph.view(), std::vector<NodeId>{0, 1, 0, 1}, 2), InputError);
}

TEST(PartOrderDeathTest, RefusesAPartOutOfRange) {
  const Csr graph = graph::undirected(2, {{0, 1}});
  EXPECT_DEATH(part_order(graph.view(), std::vector<NodeId>{0, 2}, 2), "internal error");
  EXPECT_DEATH(part_order(graph.view(), std::vector<NodeId>{-1, 0}, 2), "internal error");
}

}  // namespace
}  // namespace penchant::partition
