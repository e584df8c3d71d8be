// SPDX-License-Identifier: Apache-2.0
// What a step of the interest model learns from. What is drawn depends on (seed, epoch, position)
// only: a run resumed at any step draws the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/user_item_graph.h"
#include "models/interest_model.h"
#include "pipeline/model/history_batch.h"
#include "pipeline/training/sampler.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

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
