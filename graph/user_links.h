// SPDX-License-Identifier: Apache-2.0
// What is known of users beside the log: links between them, such as friendships, people who are
// followed, or a household. A social graph is one relation more in the propagation graph
// (propagation_graph.h), and what friends had is a score of its own (models/link_scorer.h).
#pragma once

#include <span>
#include <string>

#include "graph/csr.h"
#include "graph/relation.h"

namespace penchant::graph {

struct UserLinks {
  std::string name;
  bool directed = false;  ///< row u holds whom u follows; else the matrix is symmetric
  Csr links;              ///< [U x U] with values above 0, none on the diagonal
};

/// The relation in propagation, which goes both ways: of two directions that differ the larger
/// weight counts.
Relation relation_of(const UserLinks& links, float weight);

/// One matrix of several kinds of links, [U x U]: sum_r w_r D_r^-1/2 A_r E_r^-1/2 with D and E the
/// sums of rows and of columns of A_r. `weights`: one of each; those of weight 0 are left out.
Csr joined_links(std::span<const UserLinks> links, std::span<const float> weights,
                 std::int64_t num_users);

/// The same links where users u came to be `ids[u]`, or to be left out (kNoNode), of `num_users`.
UserLinks renumbered(const UserLinks& links, std::span<const NodeId> ids, std::int64_t num_users);

}  // namespace penchant::graph
