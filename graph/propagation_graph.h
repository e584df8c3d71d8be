// SPDX-License-Identifier: Apache-2.0
// The adjacency that models propagate over.
#pragma once

#include <cstdint>
#include <span>

#include "graph/csr.h"
#include "graph/item_graph.h"
#include "graph/relation.h"
#include "graph/user_item_graph.h"

namespace penchant::graph {

/// Symmetric adjacency over users, items and hubs, in this order of node ids:
///   user u -> u,  item i -> U + i,  hub h of relation r -> U + I + (hubs of relations before r) +
///   h.
/// Each relation is normalised by itself, A_r <- D^-1/2 A_r D^-1/2 over the degrees within that
/// relation (Kipf and Welling 2017, section 2; LightGCN, He et al. 2020, eq. 3), and the result is
/// sum_r w_r A_r. A node of degree 0 in a relation has an empty row there.
struct PropagationGraph {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::int64_t num_hubs = 0;
  Csr adjacency;  ///< [(U + I + hubs) squared], symmetric

  std::int64_t num_nodes() const { return num_users + num_items + num_hubs; }
};

/// Throws InputError where a relation's edges do not fit its ends: another number of users or
/// items, hubs as rows, or an edge within one kind that does not go both ways.
PropagationGraph build_propagation_graph(const NodeCounts& counts,
                                         std::span<const RelationView> relations);
PropagationGraph build_propagation_graph(const NodeCounts& counts,
                                         std::span<const Relation> relations);
/// Of the interactions, with weight 1, the item graph's relations and those between users. Without
/// any of these it is LightGCN's graph.
PropagationGraph build_propagation_graph(const UserItemGraph& user_item, const ItemGraph& items,
                                         std::span<const Relation> links = {});

}  // namespace penchant::graph
