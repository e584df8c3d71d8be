// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "graph/error.h"
#include "partition/partition.h"

namespace penchant::partition {

std::vector<graph::NodeId> part_order(const graph::CsrView& symmetric,
                                      std::span<const graph::NodeId> parts,
                                      std::int64_t num_parts) {
  if (static_cast<std::int64_t>(parts.size()) != symmetric.num_rows) {
    throw InputError("partition: the number of part entries is not the number of nodes");
  }
  PENCHANT_ASSERT(std::all_of(parts.begin(), parts.end(),
                              [&](auto part) { return part >= 0 && part < num_parts; }));
  std::vector<graph::NodeId> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](graph::NodeId a, graph::NodeId b) {
    const graph::NodeId part_a = parts[static_cast<std::size_t>(a)];
    const graph::NodeId part_b = parts[static_cast<std::size_t>(b)];
    return part_a != part_b ? part_a < part_b : symmetric.row_size(a) > symmetric.row_size(b);
  });
  return order;
}

}  // namespace penchant::partition
