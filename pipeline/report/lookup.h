// SPDX-License-Identifier: Apache-2.0
// What a report's look-up knows: of some items and users (the most popular, others at random) the
// lists of the model, what users had and what is known of items. An item is named once; lists hold
// places in that table.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/model/lists.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

struct LookupOptions {
  std::int64_t max_items = 5000;  ///< 0: none
  std::int64_t max_users = 2000;  ///< 0: none
  /// Of what lookup_facts() gives, as it stands in a page's script. Items get half of them, users
  /// what is left; those that find no room are left out.
  std::size_t max_bytes = 4'000'000;
};

/// Neighbours of an item and latest rows of a user that are shown at most.
inline constexpr std::int64_t kLookupNeighbours = 10;
inline constexpr std::int64_t kLookupHistory = 50;

/// Users' lists are those of `lists`, of an item those of Model::similar; scores are float32, little
/// endian, in Base64. Null if neither items nor users are asked for. Of a data set that was read
/// whole.
///   items     all, asked, shown, frequent (of these); id, title ("": the id), rows (of training): a column
///             each of all that are named; known: places of those that are shown, and beside each
///             near, cosine (absent if the model has no vectors) and values, by attribute: a number,
///             a text, places in words (-1: and more), or null
///   attributes, words, left_out_attributes
///   users     all, asked, shown, frequent; score (what they are); a column each: id, rows, items,
///             scores, why (a sentence on the first item, of the first 20 users; else ""), had (newest first), and where the data have them: time (the first, then
///             differences, in units of time_unit ms), event, weight, test (items of the user's test
///             part), later (places in the list that are among them)
///   events    names
///   k, neighbours, history, ranking, seen ("" or what --seen says), without_seen, max_bytes
nlohmann::json lookup_facts(const Model& model, const LookupOptions& options,
                            const ListOptions& lists, Progress& progress);

}  // namespace penchant::pipeline
