// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "graph/error.h"
#include "partition/partition.h"

namespace penchant::partition {

using graph::NodeId;

namespace {

double over_average(const std::vector<std::int64_t>& sizes, std::int64_t total) {
  if (total == 0) return 1.0;
  const auto largest = static_cast<double>(*std::max_element(sizes.begin(), sizes.end()));
  return largest * static_cast<double>(sizes.size()) / static_cast<double>(total);
}

}  // namespace

Quality measure_quality(const graph::CsrView& symmetric, std::span<const NodeId> parts,
                        std::int64_t num_parts) {
  if (static_cast<std::int64_t>(parts.size()) != symmetric.num_rows) {
    throw InputError("partition: the number of part entries is not the number of nodes");
  }
  Quality quality;
  quality.num_parts = num_parts;
  std::vector<std::int64_t> nodes(static_cast<std::size_t>(num_parts), 0);
  std::vector<std::int64_t> entries(static_cast<std::size_t>(num_parts), 0);
  std::vector<std::vector<NodeId>> members(static_cast<std::size_t>(num_parts));
  std::int64_t crossing = 0;
  std::int64_t self_loops = 0;
  for (std::size_t node = 0; node < parts.size(); ++node) {
    if (parts[node] < 0 || parts[node] >= num_parts)
      throw InputError("partition: a part is out of range");
    const auto part = static_cast<std::size_t>(parts[node]);
    ++nodes[part];
    entries[part] += symmetric.row_size(static_cast<std::int64_t>(node));
    members[part].push_back(static_cast<NodeId>(node));
    for (const NodeId neighbour : symmetric.row(static_cast<std::int64_t>(node))) {
      crossing += parts[static_cast<std::size_t>(neighbour)] != parts[node];
      self_loops += neighbour == static_cast<NodeId>(node);
    }
  }
  std::vector<NodeId> seen_by(parts.size(), graph::kNoNode);
  for (std::size_t part = 0; part < members.size(); ++part) {
    for (const NodeId node : members[part]) {
      for (const NodeId neighbour : symmetric.row(node)) {
        const auto place = static_cast<std::size_t>(neighbour);
        if (static_cast<std::size_t>(parts[place]) != part &&
            seen_by[place] != static_cast<NodeId>(part)) {
          seen_by[place] = static_cast<NodeId>(part);
          ++quality.halo;
        }
      }
    }
  }
  const std::int64_t undirected = (symmetric.num_entries() - self_loops) / 2;
  quality.edge_cut = crossing / 2;
  quality.cut_share = undirected > 0
                          ? static_cast<double>(quality.edge_cut) / static_cast<double>(undirected)
                          : 0.0;
  quality.balance = over_average(nodes, symmetric.num_rows);
  quality.edge_balance = over_average(entries, symmetric.num_entries());
  quality.halo_share =
      parts.empty() ? 0.0 : static_cast<double>(quality.halo) / static_cast<double>(parts.size());
  quality.empty_parts = std::count(nodes.begin(), nodes.end(), 0);
  return quality;
}

}  // namespace penchant::partition
