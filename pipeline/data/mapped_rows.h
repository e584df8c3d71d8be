// SPDX-License-Identifier: Apache-2.0
// Columns of a part of a data set that was read for look-ups, mapped.
#pragma once

#include <optional>
#include <span>

#include "graph/npy.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// Throws InputError for columns that are missing, damaged, of different lengths, or of a data set
/// that took the place of this one. Their values are not looked at.
struct MappedRows {
  /// `part`: "train" or "validation".
  MappedRows(const Dataset& dataset, const char* part);

  graph::MappedNpy<graph::NodeId> users, items;
  std::optional<graph::MappedNpy<std::int64_t>> time_ms;  ///< of logs with times

  std::span<const std::int64_t> times() const {
    return time_ms ? time_ms->values() : std::span<const std::int64_t>();
  }
};

}  // namespace penchant::pipeline
