// SPDX-License-Identifier: Apache-2.0
// What every user did before a cut, by user: the training rows, or those and the validation rows.
// Nothing is copied: the rows lie in the data set, which must outlive this.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/ids.h"
#include "graph/interactions.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

/// The held-out validation part as a stretch of time, where the rows have times that a clock gave
/// and the part is the latest of them.
struct Period {
  std::int64_t cut_ms = 0;     ///< its first row
  std::int64_t length_ms = 0;  ///< to its last row, at least 1
};

class Behaviour {
 public:
  /// Of a data set that was read with everything.
  Behaviour(const Dataset& dataset, KnownPart known);

  std::int64_t num_users() const { return static_cast<std::int64_t>(train_.first.size()) - 1; }
  /// The cut behind the last known row, and the length of the period that is asked about; a length
  /// of 0: times say nothing.
  const Period& period() const { return period_; }
  bool has_times() const { return period_.length_ms > 0; }
  bool has_sessions() const { return has_sessions_; }
  std::int64_t num_rows(graph::NodeId user) const {
    return train_.count(user) + validation_.count(user);
  }

  /// Calls take(item, time_ms, session) for the user's rows: training rows first, each part oldest
  /// first. time_ms is kNoTime and session kNoNode where the data have none.
  template <typename Take>
  void for_each_row(graph::NodeId user, Take take) const {
    train_.for_each(user, take);
    validation_.for_each(user, take);
  }

 private:
  struct Part {
    const graph::Interactions* rows = nullptr;
    std::vector<std::int64_t> first;  ///< [U + 1]; empty: no row is known

    std::int64_t count(graph::NodeId user) const {
      if (rows == nullptr) return 0;
      return first[graph::at(user) + 1] - first[graph::at(user)];
    }
    template <typename Take>
    void for_each(graph::NodeId user, Take& take) const {
      if (rows == nullptr) return;
      const std::int64_t last = first[graph::at(user) + 1];
      for (std::int64_t i = first[graph::at(user)]; i < last; ++i) {
        const std::size_t row = graph::at(i);
        take(rows->item[row], rows->time_ms.empty() ? graph::kNoTime : rows->time_ms[row],
             rows->session.empty() ? graph::kNoNode : rows->session[row]);
      }
    }
  };
  static Part part_of(const graph::Interactions& rows, std::int64_t num_users);

  Part train_, validation_;
  Period period_;
  bool has_sessions_ = false;
};

}  // namespace penchant::pipeline
