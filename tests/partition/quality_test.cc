// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "graph/error.h"
#include "partition/partition.h"
#include "tests/partition/parts.h"

namespace penchant::partition {
namespace {

using graph::Csr;
using graph::NodeId;

//  part 0   | part 1
//   0 --- 1 --- 2
//   |     | / |
//   3     | 4 |       part 2 has no node; 4 is next to 1 and 2
TEST(Quality, OfADrawnGraph) {
  const Csr graph = graph::undirected(5, {{0, 1}, {0, 3}, {1, 2}, {1, 4}, {2, 4}});
  const Quality quality = measure_quality(graph.view(), std::vector<NodeId>{0, 0, 1, 0, 1}, 3);
  EXPECT_EQ(quality.num_parts, 3);
  EXPECT_EQ(quality.edge_cut, 2);
  EXPECT_DOUBLE_EQ(quality.cut_share, 0.4);
  EXPECT_DOUBLE_EQ(quality.balance, 3 / (5 / 3.0));
  EXPECT_DOUBLE_EQ(quality.edge_balance, 6 / (10 / 3.0));
  EXPECT_EQ(quality.halo, 3) << "part 0 fetches 2 and 4, part 1 fetches 1 once";
  EXPECT_DOUBLE_EQ(quality.halo_share, 0.6);
  EXPECT_EQ(quality.empty_parts, 1);
}

TEST(Quality, EqualsTheLoopsOverPairs) {
  for (const auto& [nodes, edges] : {std::pair{1, 3}, {30, 0}, {40, 60}, {90, 1500}}) {
    for (const std::int64_t num_parts : {1, 2, 5, 40}) {
      // Self loops are stored entries but not edges between nodes.
      auto entries = graph::random_entries(nodes, nodes, edges, 78);
      const std::size_t count = entries.size();
      for (std::size_t e = 0; e < count; ++e) {
        entries.push_back({entries[e].column, entries[e].row, entries[e].value});
      }
      const Csr graph = graph::csr_from_entries(nodes, nodes, entries);
      const graph::Random random(graph::Seed{79}, graph::Stream::generator);
      std::vector<NodeId> parts;
      for (int node = 0; node < nodes; ++node) {
        const auto position = static_cast<std::uint64_t>(node);
        parts.push_back(
            static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(num_parts))));
      }

      std::int64_t cut = 0;
      std::int64_t undirected = 0;
      std::set<std::pair<NodeId, NodeId>> halo;
      std::vector<std::int64_t> stored(static_cast<std::size_t>(num_parts), 0);
      for (const auto& [place, value] : graph::entries_of(graph.view())) {
        const NodeId part = parts[static_cast<std::size_t>(place.first)];
        const bool crosses = part != parts[static_cast<std::size_t>(place.second)];
        ++stored[static_cast<std::size_t>(part)];
        undirected += place.first < place.second;
        cut += place.first < place.second && crosses;
        if (crosses) halo.emplace(part, place.second);
      }
      const auto sizes = sizes_of(parts, nodes, num_parts);
      const auto over_average = [&](const std::vector<std::int64_t>& loads, std::int64_t total) {
        const auto largest = static_cast<double>(*std::max_element(loads.begin(), loads.end()));
        return largest / (static_cast<double>(total) / static_cast<double>(num_parts));
      };
      const Quality quality = measure_quality(graph.view(), parts, num_parts);
      EXPECT_EQ(quality.edge_cut, cut);
      EXPECT_EQ(quality.halo, static_cast<std::int64_t>(halo.size()));
      EXPECT_DOUBLE_EQ(quality.halo_share, static_cast<double>(halo.size()) / nodes);
      EXPECT_DOUBLE_EQ(
          quality.cut_share,
          undirected == 0 ? 0.0 : static_cast<double>(cut) / static_cast<double>(undirected));
      EXPECT_DOUBLE_EQ(quality.balance, over_average(sizes, nodes));
      const std::int64_t num_entries = graph.view().num_entries();
      EXPECT_DOUBLE_EQ(quality.edge_balance,
                       num_entries == 0 ? 1.0 : over_average(stored, num_entries));
      EXPECT_EQ(quality.empty_parts, std::count(sizes.begin(), sizes.end(), 0));
    }
  }
}

TEST(Quality, OfNoNodes) {
  const Quality quality = measure_quality(Csr{}.view(), {}, 3);
  EXPECT_EQ(quality.edge_cut, 0);
  EXPECT_EQ(quality.cut_share, 0.0);
  EXPECT_EQ(quality.balance, 1.0);
  EXPECT_EQ(quality.halo_share, 0.0);
  EXPECT_EQ(quality.empty_parts, 3);
}

TEST(Quality, RefusesPartsThatDoNotFit) {
  const Csr graph = graph::undirected(3, {{0, 1}});
  for (const std::vector<NodeId>& bad :
       {std::vector<NodeId>{}, {0, 1}, {0, 1, 0, 1}, {0, 1, 2}, {0, -1, 1}}) {
    EXPECT_THROW(measure_quality(graph.view(), bad, 2), InputError);
  }
}

}  // namespace
}  // namespace penchant::partition
