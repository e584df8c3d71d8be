// SPDX-License-Identifier: Apache-2.0
// Batches of histories for the interest model, from what users did to what models/interest_model.h
// reads. What is drawn depends on (seed, epoch, position) only: a run resumed at any step draws the
// same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/user_item_graph.h"
#include "models/interest_model.h"
#include "pipeline/data/histories.h"
#include "pipeline/training/sampler.h"
#include "pipeline/training/train.h"

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

/// Training examples: every event but the first of a history is to be predicted from those before
/// it. Histories longer than max_length + 1 events are cut into pieces of that many which overlap
/// by one event.
class HistorySampler {
 public:
  HistorySampler(Histories histories, const graph::UserItemGraph& graph,
                 const TrainOptions& options);
  std::int64_t steps_per_epoch() const;
  /// Loads batch `step` of `epoch` into `batch` and returns its targets, which are valid until the
  /// next call.
  models::InterestTargets sample(std::int64_t epoch, std::int64_t step, HistoryBatch& batch,
                                 kernels::Backend& backend);

 private:
  /// Shared negatives and their corrections, drawn on the device; nothing where the candidates are
  /// few.
  void draw_negatives(std::int64_t epoch, std::int64_t step, models::InterestTargets& targets,
                      kernels::Backend& backend);
  void draw_unobserved(std::int64_t epoch, std::int64_t step,
                       std::span<const std::int64_t> offsets);

  Histories histories_;
  const graph::UserItemGraph& graph_;
  graph::Seed seed_;
  float history_decay_;
  std::vector<Span> spans_;  ///< inputs: the event behind each is its last target
  std::int64_t spans_per_step_ = 1;
  std::int64_t num_negatives_;
  std::vector<graph::NodeId> candidates_;  ///< all negatives, where these are few; else empty
  AliasTable negatives_;
  std::vector<float> bias_;  ///< log-q correction of sampled negatives [I]
  std::unique_ptr<kernels::PairSource> negative_source_;  ///< no pairs, only negatives
  std::vector<Span> chosen_;
  std::vector<graph::NodeId> targets_, users_, unobserved_;
  std::vector<float> positive_bias_, ratings_;
  struct {
    models::DeviceArray<graph::NodeId> targets, negatives, unobserved;
    models::DeviceArray<float> positive_bias, negative_bias, ratings;
  } device_;
};

}  // namespace penchant::pipeline
