// SPDX-License-Identifier: Apache-2.0
// What rows of a log happened together: a basket is one event, and no split cuts it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/interactions.h"
#include "graph/split.h"

namespace penchant::graph {

/// Groups rows of one user into events: those of one session where the log has sessions, those of
/// one time where it has times only. Rows without a session are grouped by time. Sessions that
/// share an item at one time are one event, for apart one would tell of the other.
class UserEvents {
 public:
  /// What a row is where the log has neither sessions nor times: an event of its own, or one with
  /// the other rows of its item, whose order then says nothing.
  enum class WithoutTimes { each_row, each_item };
  /// `log` in order but for `session`, which is in the order that `order` says (empty: the same).
  UserEvents(const Interactions& log, std::span<const std::uint32_t> order, WithoutTimes fallback);

  /// Of the rows [first, last) of one user that are in Part::train: leader[row - first] is the
  /// first row of the event that `row` belongs to; of other rows themselves. Valid until the next
  /// call.
  std::span<const std::size_t> leaders(const std::vector<Part>& parts, std::size_t first,
                                       std::size_t last);

 private:
  struct Key {
    std::int64_t group;  ///< session, time or item
    std::size_t place;   ///< of the row behind the user's first
    bool operator<(const Key& other) const {
      return group != other.group ? group < other.group : place < other.place;
    }
  };
  void join_runs();
  void join(std::size_t a, std::size_t b);
  std::size_t root(std::size_t place) const;

  const Interactions& log_;
  std::span<const std::uint32_t> order_;
  WithoutTimes fallback_;
  std::vector<Key> keys_;
  std::vector<std::size_t> leader_;
};

/// Sessions, one user's each, that have a held-out row.
struct CutSessions {
  std::int64_t cut = 0;  ///< those whose rows stand in more than one part
  std::int64_t all = 0;
};
CutSessions count_cut_sessions(const SplitInteractions& split);

}  // namespace penchant::graph
