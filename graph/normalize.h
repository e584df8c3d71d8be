// SPDX-License-Identifier: Apache-2.0
// The adjacency that models propagate over, and its normalisation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/csr.h"
#include "graph/item_graph.h"
#include "graph/user_item_graph.h"

namespace penchant::graph {

/// Symmetric adjacency over users, items and attribute hubs, in this order of node ids:
///   user u -> u,  item i -> U + i,  hub h of relation r -> U + I + (hubs of relations before r) +
///   h.
/// Each relation is normalised by itself, A_r <- D^-1/2 A_r D^-1/2 over the degrees within that
/// relation (Kipf and Welling 2017, section 2; LightGCN, He et al. 2020, eq. 3), and the result is
/// sum_r w_r A_r (user-item has weight 1). A node of degree 0 in a relation has an empty row there.
struct PropagationGraph {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::int64_t num_hubs = 0;
  Csr adjacency;  ///< [(U + I + hubs) squared], symmetric

  std::int64_t num_nodes() const { return num_users + num_items + num_hubs; }
};

/// `items` may have no relation: then this is LightGCN's graph.
PropagationGraph build_propagation_graph(const UserItemGraph& user_item, const ItemGraph& items);

enum class SelfLoops : bool { no, yes };
/// D^-1/2 (A + I) D^-1/2 or D^-1/2 A D^-1/2 of a symmetric matrix.
Csr normalize_symmetric(const CsrView& adjacency, SelfLoops self_loops);
/// The second form in place; a matrix without values gets them.
void normalize_symmetric_in_place(Csr& adjacency);
/// D^-1 A: rows sum to 1 (or are empty).
Csr normalize_rows(const CsrView& adjacency);

/// Row and column i of the result is old node order[i]: P A P'. `order` must be a permutation
/// (InputError).
Csr reorder_symmetric(const CsrView& matrix, std::span<const NodeId> order);
std::vector<NodeId> invert_permutation(std::span<const NodeId> order);
/// Nodes by descending degree, ties by id.
std::vector<NodeId> degree_order(const CsrView& matrix);

}  // namespace penchant::graph
