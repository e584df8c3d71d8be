// SPDX-License-Identifier: Apache-2.0
// By which member of a mixture, and with how much weight beside the users' profiles, new items are
// taught (new_item_learning.h): what ranks touched items best when they are treated as new ones.
// Tenths of the touched items are hidden, one after the other, from the regression on attributes
// and from the profiles; each way then ranks a tenth for the users who have validation rows in it,
// by Recall@20 among the tenth. The members' vectors of users stay as they are. Where items have
// vectors of their own (graph::ContentSpace), what these count in the profiles is asked first.
// Source: own; measured in docs/decisions/0040-new-items-in-the-vectors.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/interactions.h"
#include "graph/random.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

/// A way to tell how new items fit (models/new_item_scores.h).
struct NewItemTeacher {
  std::size_t member = 0;  ///< whose vectors the regression is of: place in the mixture
  float weight = 1.0F;     ///< of the regression beside the profiles; 0: these alone
  float content = 1.0F;    ///< of landmarks of vectors in the profiles, beside other values
  bool operator==(const NewItemTeacher&) const = default;

  nlohmann::json to_json() const;
  /// Throws InputError for a weight out of range, nlohmann::json::exception where something is
  /// missing.
  static NewItemTeacher from_json(const nlohmann::json& stored);
};

struct NewItemRehearsal {
  struct Trial {
    NewItemTeacher teacher;
    double recall = 0.0;          ///< mean over users of their mean over the tenths
    double gain = 0.0;            ///< over the first trial's
    double standard_error = 0.0;  ///< of the gain, over the same users
  };
  NewItemTeacher chosen;
  std::int64_t num_users = 0;  ///< who judged
  std::vector<Trial> trials;   ///< usual one first; empty: nothing to judge by, or no new items
};

/// The one of the largest recall if its gain is larger than the standard error of that, else the
/// first; of equals the first. `trials` must not be empty.
NewItemTeacher best_teacher(std::span<const NewItemRehearsal::Trial> trials);

/// The best_teacher of weights 0, .25, .5, 1 and 2 of each member, first weight 1 of `usual`, a
/// place in `members`, and where there are landmarks of content 0, .5 and 2 with that. Members' vectors [U x D], [I x D] of all users and items, at least one;
/// `graphs`: of the rows that they were made of; `held_out`: further rows. Nothing if interrupted.
std::optional<NewItemRehearsal> rehearse_new_items(std::span<const VectorViews> members,
                                                   std::size_t usual, const Graphs& graphs,
                                                   const graph::Interactions& held_out,
                                                   graph::Seed seed, kernels::Backend& backend,
                                                   Progress& progress);

}  // namespace penchant::pipeline
