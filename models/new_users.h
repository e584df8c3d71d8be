// SPDX-License-Identifier: Apache-2.0
// Users of whom nothing is known, such as those whose first row lies in the test part: an item's
// score is the mean of its scores for all others. For vectors that is the mean of the others'
// vectors, for a filter, which is linear in a user's history, its response to the mean history.
// Source: own; measured in docs/decisions/0027-new-users.md.
#pragma once

#include <functional>
#include <span>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/unit_length.h"

namespace penchant::models {

/// Overwrites the rows of `users` [U x D] of users without an item in `user_item` by the mean of
/// the others' rows; with UnitLength::yes at length 1. Nothing happens where there is no such user,
/// or no other. Waits for the device.
void fill_new_users(const graph::UserItemGraph& user_item, UnitLength unit_length,
                    kernels::Backend& backend, kernels::FloatView users);

/// What a scorer that is linear in histories says of users without one.
class MeanScores {
 public:
  /// Writes the scores [I x 1] of a history [1 x I].
  using Respond = std::function<void(const graph::Csr& history, kernels::FloatView scores)>;

  /// Adds the mean of all scores to the columns of `scores` [I x B] of those of `users` [B] without
  /// a row in `histories` [U x I]; the history of user u counts `row_scale` [U] times (empty:
  /// once). `respond` is asked once, when the first such user comes.
  void add_to_new_users(const graph::CsrView& histories, std::span<const float> row_scale,
                        kernels::IdView users, const Respond& respond, kernels::Backend& backend,
                        kernels::FloatView scores);

 private:
  kernels::FloatMatrix mean_;  ///< [I x 1]; empty until it is needed
};

}  // namespace penchant::models
