// SPDX-License-Identifier: Apache-2.0
// The behaviour log as columns. One row is one observed (user, item) event, after ingest has
// cleaned and mapped it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace penchant::graph {

inline constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();

/// Columns of equal length; `time_ms`, `event` and `session` may be empty when the log does not
/// have them. Rows are sorted by (user, time_ms, order in the input).
struct Interactions {
  std::vector<NodeId> user;
  std::vector<NodeId> item;
  std::vector<float> weight;  ///< of the event type or column; > 0
  std::vector<std::int64_t>
      time_ms;                     ///< since 1970-01-01 UTC, or the position in the user's sequence
  std::vector<std::int8_t> event;  ///< index into the data's list of event types
  std::vector<std::int32_t> session;  ///< dense id of basket or session; kNoNode where missing

  std::int64_t size() const { return static_cast<std::int64_t>(user.size()); }
  bool empty() const { return user.empty(); }
};

/// Interactions that may be learned from: the only type that graphs, counts, popularity and
/// negative samplers accept. Held-out parts are plain Interactions and do not convert to it.
struct TrainingPart {
  Interactions interactions;
};

/// The three disjoint parts of a split.
struct SplitInteractions {
  TrainingPart train;
  Interactions validation;
  Interactions test;
};

}  // namespace penchant::graph
