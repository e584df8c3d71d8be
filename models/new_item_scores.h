// SPDX-License-Identifier: Apache-2.0
// How well items that nobody has touched fit users, by their attributes. Two views of that, which
// know different things, are summed, each in units of its standard deviation over the user's scores:
//   <x_u, y_i>                  y_i predicted from the attribute values of item i
//                               (models/attribute_regression.h) as x_u, y_j of touched items say
//   sum_v a_iv p_uv             p_uv = sum_(j of u) a_jv w_v, w_v = (items with v)^-1/2:
//                               which values the items of the user have (models/new_items.h)
// Source: own; measured in docs/decisions/0040-new-items-in-the-vectors.md.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/csr.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"

namespace penchant::models {

class NewItemScores {
 public:
  /// Of `items`, P ascending ids without a user; links [I x V] (attribute_links). x_u, y_j are rows
  /// of users [U x D] and item_vectors [I x D], which must outlive this as `user_item` must;
  /// `backend` computes on the CPU. Throws InputError for shapes that do not fit.
  NewItemScores(const graph::UserItemGraph& user_item, const graph::Csr& links,
                const std::vector<graph::NodeId>& items, kernels::ConstFloatView users,
                kernels::ConstFloatView item_vectors, kernels::Backend& backend);

  /// scores [P x B] of B users.
  void score(kernels::IdView users, kernels::FloatView scores);

 private:
  const graph::UserItemGraph& user_item_;
  kernels::ConstFloatView users_;
  kernels::Backend& backend_;
  graph::Csr weighted_;                           ///< [I x V] a_iv w_v
  graph::Csr pool_;                               ///< [P x V] of the items
  std::unique_ptr<kernels::SparseMatrix> links_;  ///< reads pool_
  kernels::FloatMatrix predicted_;                ///< [P x D] y_i
};

}  // namespace penchant::models
