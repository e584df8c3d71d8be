// SPDX-License-Identifier: Apache-2.0
// Why a score is what it is, in its own units: shares of what a user had, and of what stands beside
// it. score = sum of `history` + sum of `parts` + residual.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/enum_names.h"
#include "graph/ids.h"
#include "graph/interactions.h"
#include "pipeline/data/dataset.h"
#include "pipeline/model/ranking.h"

namespace penchant::pipeline {

/// An item that a user had, with all events of it, and what it puts into the score.
struct HistoryShare {
  graph::NodeId item = graph::kNoNode;
  std::int64_t events = 0;
  std::int64_t first_ms = graph::kNoTime, last_ms = graph::kNoTime;
  double vectors = 0.0, filter = 0.0, repeats = 0.0;  ///< by terms of the score
  /// The share less its mean share in the scores of the user's best other items: what makes this
  /// item rank before them, as popularity of the item the user had does not.
  double lead = 0.0;
  bool reason = false;  ///< of the three without which the score falls most (reasons.h)

  double share() const { return vectors + filter + repeats; }
};

/// What a score holds beside what a user had.
/// popularity      how many users the item has
/// new_items       which attribute values the user's items had, for items that nobody has touched
/// own_vector      what was learned for the user alone, or a bias
/// no_history      what a network says of somebody without events
/// friends         what those had whom the user is linked to (docs/relations.md)
/// mean_user       users of whom nothing is known have the mean of all others' scores
/// beyond_history  of a vector that was learned freely: what taking events away does not explain
enum class PartKind {
  popularity,
  new_items,
  own_vector,
  no_history,
  friends,
  mean_user,
  beyond_history
};
constexpr auto enum_words(PartKind) {
  return std::to_array<EnumWord<PartKind>>({{PartKind::popularity, "popularity"},
                                            {PartKind::new_items, "new_items"},
                                            {PartKind::own_vector, "own_vector"},
                                            {PartKind::no_history, "no_history"},
                                            {PartKind::friends, "friends"},
                                            {PartKind::mean_user, "mean_user"},
                                            {PartKind::beyond_history, "beyond_history"}});
}
inline constexpr std::size_t kNumPartKinds = 7;
/// For people.
const char* part_text(PartKind kind);

/// How the shares of vectors were found.
/// exact          the score is linear in the events
/// leave_one_out  the change of the vector without the item, all its events taken away, and its part
///                in what goes with it when a few items go together
/// integrated_gradients  of a network, with the error of integration in the residual
enum class ShareMethod { exact, leave_one_out, integrated_gradients };
constexpr auto enum_words(ShareMethod) {
  return std::to_array<EnumWord<ShareMethod>>(
      {{ShareMethod::exact, "exact"},
       {ShareMethod::leave_one_out, "leave_one_out"},
       {ShareMethod::integrated_gradients, "integrated_gradients"}});
}

/// A way by which the item's vector came to be as it is, and its share of the vectors' term: its
/// users, items that come together with it, an attribute value. Those of one item add up to the
/// term without columns of new items.
struct PathShare {
  std::string relation;  ///< "users", "co-occurrence", "own", or an attribute's name
  std::string value;     ///< of the attribute, or empty
  double share = 0.0;
};

/// A value that the item has and items of the user's have too: their shares together. One item may
/// count for several values.
struct AttributeShare {
  std::string attribute, value;
  std::int64_t items = 0;  ///< of the user's
  double share = 0.0;
};

struct Explanation {
  std::string user;  ///< raw id, or empty: a history given by hand
  graph::NodeId item = graph::kNoNode;
  Ranking ranking = Ranking::vectors;
  std::string meaning;  ///< "inner product" or "full score"
  double score = 0.0;   ///< what ranks, computed as for lists
  ShareMethod method = ShareMethod::exact;
  std::vector<HistoryShare> history;  ///< reasons first, then the largest lead first
  std::int64_t num_others = 0;        ///< items that leads are over; 0: leads are the shares
  std::int64_t num_unexplained = 0;   ///< earlier items whose shares lie in beyond_history
  std::array<double, kNumPartKinds> parts = {};
  double residual = 0.0;
  std::vector<PathShare> paths;            ///< the largest share first; empty where there are none
  std::vector<AttributeShare> attributes;  ///< the largest share first
  bool seen = false;                       ///< the user had the item
  bool listed = true;                      ///< false: lists leave it out, as the user had it
  bool known = true;  ///< false: nothing is known of the item; its vector is zero

  double part(PartKind kind) const { return parts[static_cast<std::size_t>(kind)]; }
  double& part(PartKind kind) { return parts[static_cast<std::size_t>(kind)]; }
  /// Sum of all shares: the score without the residual.
  double explained() const;
};

/// Why two items are similar: cosine = sum of paths + new_items + popularity + residual where the
/// vectors come from a graph encoder; of others there are no paths, and all is the residual.
struct SimilarExplanation {
  graph::NodeId item = graph::kNoNode, other = graph::kNoNode;
  double cosine = 0.0;
  double new_items = 0.0, popularity = 0.0, residual = 0.0;
  std::vector<PathShare> paths;            ///< of the other item, the largest share first
  std::vector<AttributeShare> attributes;  ///< values of both; without shares
  std::int64_t num_shared_users = 0;
};

/// A value of an item's attribute for people: of an attribute made of vectors "like ITEM".
std::string value_text(const graph::Attribute& attribute, graph::NodeId value,
                       const Dataset& dataset);

/// "because of A and B, from March 2024; brand C".
std::string sentence(const Explanation& explanation, const Dataset& dataset);
std::string sentence(const SimilarExplanation& explanation, const Dataset& dataset);

/// The `top` largest leads and shares of each kind; the number of all is said.
nlohmann::json explanation_json(const Explanation& explanation, const Dataset& dataset,
                                std::int64_t top);
nlohmann::json explanation_json(const SimilarExplanation& explanation, const Dataset& dataset,
                                std::int64_t top);
/// For people.
std::string explanation_text(const Explanation& explanation, const Dataset& dataset,
                             std::int64_t top);
std::string explanation_text(const SimilarExplanation& explanation, const Dataset& dataset,
                             std::int64_t top);

}  // namespace penchant::pipeline
