// SPDX-License-Identifier: Apache-2.0
// Batches of an epoch. What is drawn depends on (seed, epoch, position) only: a run resumed at any
// step draws the same. The backend draws (kernels/backend.h, PairDraw), so that a step on a GPU
// uploads nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/workspace.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// Walker's alias method (Vose 1991): a slot i drawn uniformly is kept with probability
/// thresholds_i, else aliases_i is taken; indices then follow their weights.
struct AliasTable {
  explicit AliasTable(const std::vector<double>& weights);

  std::vector<double> thresholds;
  std::vector<graph::NodeId> aliases;
};

/// Weight of each item as a negative, its number of users ^ power; 0 for items that nobody has
/// touched, which are no evidence of dislike.
std::vector<double> negative_weights(const graph::UserItemGraph& graph, double power);
/// [I] the log-q correction of a sampled softmax (Bengio and Senecal 2008; Yi et al. 2019, section
/// 4.2), times negative_correction.
std::vector<float> log_q_correction(const graph::UserItemGraph& graph, const TrainOptions& options);

/// Batches of an epoch: the last may be smaller.
std::int64_t steps_per_epoch(const graph::UserItemGraph& graph, const TrainOptions& options);

class Sampler {
 public:
  /// `graph` is the training graph: positives are its edges, negatives follow its item degrees ^
  /// negative_power. node_ids [U + I]: what stands for users and items in a batch; empty: dense
  /// ids.
  Sampler(const graph::UserItemGraph& graph, const TrainOptions& options,
          std::span<const graph::NodeId> node_ids, kernels::Backend& backend);
  std::int64_t num_positives() const { return source_->num_pairs(); }
  /// Where batch `step` of `epoch` comes from and lies; its memory is used again by the next call.
  kernels::PairDraw batch(std::int64_t epoch, std::int64_t step);
  /// Enqueues the drawing of a batch().
  void draw(const kernels::PairDraw& batch) { backend_.draw_pairs(*source_, batch); }

 private:
  kernels::Backend& backend_;
  std::int64_t batch_size_;
  std::int64_t num_negatives_;
  kernels::Negatives kind_;
  bool has_bias_;
  std::unique_ptr<kernels::PairSource> source_;
  models::DeviceArray<graph::NodeId> users_, positives_, negatives_;
  models::DeviceArray<float> positive_bias_, negative_bias_;
};

}  // namespace penchant::pipeline
