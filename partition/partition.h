// SPDX-License-Identifier: Apache-2.0
// Dividing the nodes of a symmetric graph into P parts, and judging the result.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/enum_names.h"
#include "graph/csr.h"

namespace penchant::partition {

/// metis: multilevel k-way (Karypis and Kumar 1998). The others are the baselines it is compared
/// with: range gives contiguous ids of equal node count, hash a fixed mix of the id, random a
/// seeded shuffle dealt out evenly.
enum class Method { metis, range, hash, random };
constexpr auto enum_words(Method) {
  return std::to_array<EnumWord<Method>>({{Method::metis, "metis"},
                    {Method::range, "range"}, {Method::hash, "hash"},
                    {Method::random, "random"}});
}

struct PartitionOptions {
  Method method = Method::metis;
  std::int64_t num_parts = 8;
  double imbalance = 1.03;  ///< largest part over the average, allowed
  graph::Seed seed{42};
};

/// Part of each node, in [0, P). P = 1 or N = 0 answer without calling METIS. Throws InputError for
/// P < 1, P > N, a matrix that is not symmetric, or more nodes or entries than METIS' index type
/// holds; DeviceError if METIS reports failure or an answer out of range.
std::vector<graph::NodeId> partition_nodes(const graph::CsrView& symmetric,
                                           const PartitionOptions& options);

/// Recounted here, never taken from the library.
struct Quality {
  std::int64_t num_parts = 0;
  std::int64_t edge_cut = 0;  ///< undirected edges between parts
  double cut_share = 0.0;     ///< edge_cut / undirected edges
  double balance = 0.0;       ///< largest part / average part, in nodes
  double edge_balance = 0.0;  ///< the same in stored entries
  std::int64_t halo =
      0;  ///< sum over parts of distinct outside neighbours: rows to be fetched per propagation
  double halo_share = 0.0;  ///< halo / N
  std::int64_t empty_parts = 0;
};
Quality measure_quality(const graph::CsrView& symmetric, std::span<const graph::NodeId> parts,
                        std::int64_t num_parts);

/// Node order that groups parts, and by descending degree within a part: order[new] = old.
std::vector<graph::NodeId> part_order(const graph::CsrView& symmetric,
                                      std::span<const graph::NodeId> parts, std::int64_t num_parts);

}  // namespace penchant::partition
