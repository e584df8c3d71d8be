// SPDX-License-Identifier: Apache-2.0
// What users did, in order: the input of sequence models. Rows of the log are sorted by (user,
// time, order in the input), so events of equal time keep the order of the log, and data without
// times that of its rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/ids.h"
#include "graph/interactions.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

/// Gap buckets are below this.
inline constexpr std::int64_t kNumGapBuckets = 32;

/// Event sequences of B users, oldest event first. Row b holds the events [offsets[b], offsets[b +
/// 1]); it may be empty.
struct Histories {
  std::vector<std::int64_t> offsets = {0};  ///< [B + 1]
  std::vector<graph::NodeId> items;
  std::vector<std::uint8_t> events;       ///< index of the event type; empty if the data has one
                                          ///< type, or if it is not known
  std::vector<std::uint8_t> gap_buckets;  ///< of the time since the user's previous event; empty
                                          ///< if times are not known
  std::vector<float> weights;             ///< of the events (ratings, where the log has some);
                                          ///< empty if not known

  std::int64_t size() const { return static_cast<std::int64_t>(offsets.size()) - 1; }  ///< B
  std::int64_t length(std::int64_t row) const {
    return offsets[static_cast<std::size_t>(row) + 1] - offsets[static_cast<std::size_t>(row)];
  }
  /// The items of one row.
  std::span<const graph::NodeId> row(std::int64_t row) const {
    return std::span(items).subspan(
        static_cast<std::size_t>(offsets[static_cast<std::size_t>(row)]),
        static_cast<std::size_t>(length(row)));
  }
};

/// Log-scale bucket of a gap: 1 below one second, then 2 + floor(log2(seconds)), at most
/// kNumGapBuckets - 1 (17 years and more). Bucket 0 is a user's first event, which has no gap.
std::uint8_t gap_bucket(std::int64_t gap_ms);

/// The last `max_length` (at least 1) events of each user of the data set, row = dense id. The gap
/// of an event is that to the one before it in `part`, also where `max_length` cuts that one off.
Histories make_histories(const graph::TrainingPart& part, const Dataset& dataset,
                         std::int64_t max_length);
/// The same of the training and the validation rows together: what is known before the test part.
Histories make_histories_with_validation(const Dataset& dataset, std::int64_t max_length);

/// Those of what is known.
Histories known_histories(const Dataset& dataset, KnownPart known, std::int64_t max_length);

/// The same of one user, whose row is where it is among all users'; those of the others are empty.
/// Without event types and gaps.
Histories known_history(const Dataset& dataset, graph::NodeId user, KnownPart known);

/// One row of items, oldest first; no event types, no times.
Histories history_of_items(std::span<const graph::NodeId> items);

/// One event of one person.
struct PersonEvent {
  graph::NodeId item = graph::kNoNode;
  std::int64_t time_ms = graph::kNoTime;
  std::uint8_t event = 0;  ///< index of the event type
};
/// What is known of these about all events of a person.
struct KnownOfEvents {
  bool types = false, times = false;
};
/// One row of events, oldest first, with event types and gaps where all of them are known.
Histories history_of_events(std::span<const PersonEvent> events, KnownOfEvents known);

/// A user's training and validation events, oldest first, as in make_histories_with_validation; the
/// data set was read with everything. known_of_events() says what they have.
std::vector<PersonEvent> events_of_user(const Dataset& dataset, graph::NodeId user);
KnownOfEvents known_of_events(const Dataset& dataset);

/// The rows `rows` of `histories`, in that order; a row may be taken more than once.
Histories select_histories(const Histories& histories, std::span<const graph::NodeId> rows);

}  // namespace penchant::pipeline
