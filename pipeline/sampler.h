// SPDX-License-Identifier: Apache-2.0
// Batches of an epoch. What is drawn depends on (seed, epoch, position) only: a run resumed at any
// step draws the same.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/random.h"
#include "graph/user_item_graph.h"
#include "pipeline/train.h"

namespace penchant::pipeline {

/// Draws an index with probability proportional to its weight in O(1) (Walker's alias method, Vose
/// 1991).
class AliasTable {
 public:
  explicit AliasTable(const std::vector<double>& weights);
  /// `position` selects the random number.
  std::int64_t draw(const graph::Random& random, std::uint64_t position) const;

 private:
  std::vector<double> threshold_;
  std::vector<graph::NodeId> alias_;
};

/// Weight of each item as a negative, its number of users ^ power; 0 for items that nobody has
/// touched, which are no evidence of dislike.
std::vector<double> negative_weights(const graph::UserItemGraph& graph, double power);
/// [I] the log-q correction of a sampled softmax (Bengio and Senecal 2008; Yi et al. 2019, section
/// 4.2), times negative_correction.
std::vector<float> log_q_correction(const graph::UserItemGraph& graph, const TrainOptions& options);

/// Dense user and item ids of one batch.
struct SampledBatch {
  std::vector<graph::NodeId> users, positives, negatives;
  std::vector<float> positive_bias, negative_bias;  ///< of the scores; empty: none
};

class Sampler {
 public:
  /// `graph` is the training graph: positives are its edges, negatives follow its item degrees ^
  /// negative_power.
  Sampler(const graph::UserItemGraph& graph, const TrainOptions& options);
  std::int64_t num_positives() const { return static_cast<std::int64_t>(user_of_edge_.size()); }
  std::int64_t steps_per_epoch() const;
  /// Batch `step` of `epoch`. The last batch may be smaller.
  void sample(std::int64_t epoch, std::int64_t step, SampledBatch& batch) const;

 private:
  const graph::UserItemGraph& graph_;
  graph::Seed seed_;
  std::int64_t batch_size_;
  std::int64_t num_negatives_;
  bool shared_negatives_;
  std::vector<graph::NodeId> user_of_edge_;
  AliasTable negatives_;
  std::vector<float> bias_;  ///< [I] -negative_correction * log q, q an item's probability as a
                             ///< negative; empty: none
};

}  // namespace penchant::pipeline
