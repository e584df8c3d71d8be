// SPDX-License-Identifier: Apache-2.0
// The choice of method, the cases METIS must not see, and the three baselines.
#include "partition/partition.h"

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/hash.h"
#include "graph/random.h"
#include "partition/metis.h"

namespace penchant::partition {

using graph::NodeId;

std::vector<NodeId> partition_nodes(const graph::CsrView& symmetric,
                                    const PartitionOptions& options) {
  const std::int64_t num_nodes = symmetric.num_rows;
  const std::int64_t num_parts = options.num_parts;
  if (num_parts < 1)
    throw InputError(fmt::format("partition: {} parts, expected at least 1", num_parts));
  if (num_nodes == 0) return {};
  if (num_parts > num_nodes) {
    throw InputError(
        fmt::format("partition: {} parts for {} nodes, expected at most one part a node", num_parts,
                    num_nodes));
  }
  if (!(options.imbalance >= 1.0)) throw InputError("partition: imbalance must be at least 1");
  if (!graph::is_symmetric(
          {symmetric.num_rows, symmetric.num_cols, symmetric.offsets, symmetric.columns, {}})) {
    throw InputError("partition: the matrix is not symmetric");
  }
  if (num_parts == 1) return std::vector<NodeId>(static_cast<std::size_t>(num_nodes), 0);
  if (options.method == Method::metis) return partition_with_metis(symmetric, options);

  std::vector<NodeId> parts(static_cast<std::size_t>(num_nodes));
  const graph::Permutation shuffle(options.seed, graph::Stream::partition, 0,
                                   static_cast<std::uint64_t>(num_nodes));
  for (std::int64_t node = 0; node < num_nodes; ++node) {
    std::int64_t part = 0;
    if (options.method == Method::range) {
      part = node * num_parts / num_nodes;
    } else if (options.method == Method::hash) {
      part = static_cast<std::int64_t>(graph::mix_bits(static_cast<std::uint64_t>(node)) %
                                       static_cast<std::uint64_t>(num_parts));
    } else {
      part = static_cast<std::int64_t>(shuffle(static_cast<std::uint64_t>(node)) %
                                       static_cast<std::uint64_t>(num_parts));
    }
    parts[static_cast<std::size_t>(node)] = static_cast<NodeId>(part);
  }
  return parts;
}

}  // namespace penchant::partition
