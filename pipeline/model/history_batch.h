// SPDX-License-Identifier: Apache-2.0
// Batches of histories for the interest model, from what users did to what models/interest_model.h
// reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/interest_model.h"
#include "pipeline/data/histories.h"

namespace penchant::pipeline {

/// A run of events of one history: [first, first + length).
struct Span {
  std::int64_t row;  ///< of the histories
  std::int64_t first;
  std::int64_t length;
};

/// One batch in host memory and, once uploaded, on the device.
class HistoryBatch {
 public:
  /// The events of `spans`, which must not be empty; the batch holds them longest first.
  void assign(const Histories& histories, std::span<const Span> spans, float history_decay);
  /// Views are valid until the next assign.
  models::InterestBatch upload(kernels::Backend& backend);

  std::int64_t num_events() const { return static_cast<std::int64_t>(items_.size()); }
  /// Place in `spans` of each sequence of the batch.
  std::span<const std::int64_t> order() const { return order_; }
  std::span<const std::int64_t> offsets() const { return offsets_; }

 private:
  std::vector<std::int64_t> order_, offsets_, step_offsets_;
  std::vector<graph::NodeId> packed_rows_, event_rows_, items_, events_, gaps_, last_events_;
  std::vector<float> history_scale_;
  struct {
    models::DeviceArray<graph::NodeId> packed_rows, event_rows, items, events, gaps, last_events;
    models::DeviceArray<float> history_scale;
  } device_;
};

}  // namespace penchant::pipeline
