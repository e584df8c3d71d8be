// SPDX-License-Identifier: Apache-2.0
// How well items that nobody has touched fit users, by their attributes. Two views of that, which
// know different things, each in units of its standard deviation over the user's scores, are summed,
// the first with a weight:
//   <x_u, y_i>                  y_i predicted from the attribute values of item i
//                               (models/attribute_regression.h) as x_u, y_j of touched items say
//   sum_v a_iv p_uv             p_uv = sum_(j of u) a_jv w_v, w_v = (items with v)^-1/2:
//                               which values the items of the user have (models/new_items.h);
//                               of landmarks of vectors, w_v has a factor of its own
// Source: own; measured in docs/decisions/0040-new-items-in-the-vectors.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "graph/csr.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"

namespace penchant::models {

/// The first view.
class FitByRegression {
 public:
  /// Of `items`, P ascending rows of links [I x V] (attribute_links), as the rows of item_vectors
  /// [I x D] say where `known` [I] is 1, at least one. Reads users [U x D] later on; `backend`
  /// computes on the CPU. Throws InputError for shapes that do not fit.
  FitByRegression(const graph::Csr& links, const std::vector<float>& known,
                  const std::vector<graph::NodeId>& items, kernels::ConstFloatView users,
                  kernels::ConstFloatView item_vectors, kernels::Backend& backend);

  /// Adds weight times the view of B users to scores [P x B].
  void add(kernels::IdView users, float weight, kernels::FloatView scores);

 private:
  kernels::ConstFloatView users_;
  kernels::Backend& backend_;
  kernels::FloatMatrix predicted_;  ///< [P x D] y_i
};

/// The second view.
class FitByProfile {
 public:
  /// Of `items`, P ascending rows of weighted [I x V] (weighted_by_rarity), to users with the rows of
  /// user_items [U x I]. Both must outlive this; `backend` computes on the CPU. Throws InputError
  /// for different numbers of items.
  FitByProfile(const graph::CsrView& user_items, const graph::Csr& weighted,
               const std::vector<graph::NodeId>& items, kernels::Backend& backend);

  /// Adds the view of B users to scores [P x B].
  void add(kernels::IdView users, kernels::FloatView scores);

 private:
  graph::CsrView user_items_;
  const graph::Csr& weighted_;
  kernels::Backend& backend_;
  graph::Csr pool_;                               ///< [P x V] of the items
  std::unique_ptr<kernels::SparseMatrix> links_;  ///< reads pool_
};

class NewItemScores {
 public:
  /// Of `items`, P ascending ids without a user; links [I x V] (attribute_links) and their weighted
  /// form (weighted_by_rarity). x_u, y_j are rows of users [U x D] and item_vectors [I x D], which
  /// must outlive this as `user_item` must; `weight` is that of the regression, which at 0 is not
  /// made. `backend` computes on the CPU. Throws InputError for shapes that do not fit.
  NewItemScores(const graph::UserItemGraph& user_item, const graph::Csr& links, graph::Csr weighted,
                const std::vector<graph::NodeId>& items, kernels::ConstFloatView users,
                kernels::ConstFloatView item_vectors, float weight, kernels::Backend& backend);

  /// scores [P x B] of B users.
  void score(kernels::IdView users, kernels::FloatView scores);

 private:
  kernels::Backend& backend_;
  float weight_;
  graph::Csr weighted_;  ///< [I x V] a_iv w_v
  std::optional<FitByRegression> regression_;
  FitByProfile profile_;
};

}  // namespace penchant::models
