// SPDX-License-Identifier: Apache-2.0
#include "pipeline/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// A negative that the user already has is drawn again, so many times at most (BPR only).
constexpr std::uint64_t kTries = 8;

/// Small data needs more steps to learn, large data larger batches to keep the cores busy.
std::int64_t automatic_batch_size(const graph::UserItemGraph& graph) {
  constexpr std::uint64_t kSmallest = 512;
  constexpr std::uint64_t kLargest = 8192;
  constexpr std::uint64_t kStepsPerEpoch = 64;
  const std::uint64_t share = graph.user_items.columns.size() / kStepsPerEpoch;
  return static_cast<std::int64_t>(std::clamp(std::bit_floor(share), kSmallest, kLargest));
}

}  // namespace

std::vector<double> negative_weights(const graph::UserItemGraph& graph, double power) {
  std::vector<double> weights(static_cast<std::size_t>(graph.num_items));
  for (std::size_t item = 0; item < weights.size(); ++item) {
    const auto degree =
        static_cast<double>(graph.item_users.view().row_size(static_cast<std::int64_t>(item)));
    weights[item] = degree > 0 ? std::pow(degree, power) : 0.0;
  }
  return weights;
}

std::vector<float> log_q_correction(const graph::UserItemGraph& graph,
                                    const TrainOptions& options) {
  const std::vector<double> weights = negative_weights(graph, options.negative_power);
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<float> bias(weights.size(), 0.0F);
  for (std::size_t item = 0; item < weights.size(); ++item) {
    if (weights[item] > 0.0)
      bias[item] =
          static_cast<float>(-options.negative_correction * std::log(weights[item] / total));
  }
  return bias;
}

AliasTable::AliasTable(const std::vector<double>& weights)
    : threshold_(weights.size(), 1.0), alias_(weights.size()) {
  double total = 0.0;
  for (const double weight : weights) total += weight;
  PENCHANT_ASSERT(total > 0.0);
  std::vector<NodeId> small;
  std::vector<NodeId> large;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    threshold_[i] = weights[i] / total * static_cast<double>(weights.size());
    alias_[i] = static_cast<NodeId>(i);
    (threshold_[i] < 1.0 ? small : large).push_back(static_cast<NodeId>(i));
  }
  while (!small.empty() && !large.empty()) {
    const NodeId poor = small.back();
    const NodeId rich = large.back();
    small.pop_back();
    alias_[static_cast<std::size_t>(poor)] = rich;
    double& rest = threshold_[static_cast<std::size_t>(rich)];
    rest -= 1.0 - threshold_[static_cast<std::size_t>(poor)];
    if (rest < 1.0) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  // Rounding leaves a few that should be exactly 1; of weight 0 none is among them, for they were
  // paired first or their own threshold is 0.
  for (const NodeId i : large) threshold_[static_cast<std::size_t>(i)] = 1.0;
  for (const NodeId i : small) {
    if (weights[static_cast<std::size_t>(i)] > 0.0) {
      threshold_[static_cast<std::size_t>(i)] = 1.0;
    } else {
      alias_[static_cast<std::size_t>(i)] =
          static_cast<NodeId>(std::max_element(weights.begin(), weights.end()) - weights.begin());
    }
  }
}

std::int64_t AliasTable::draw(const graph::Random& random, std::uint64_t position) const {
  const auto word = random.words(position);
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t bits = word[0] | (static_cast<std::uint64_t>(word[1]) << 32);
  const auto slot = static_cast<std::size_t>((static_cast<Wide>(bits) * threshold_.size()) >> 64);
  const double coin =
      (static_cast<double>(word[2]) + static_cast<double>(word[3]) * 0x1.0p-32) * 0x1.0p-32;
  return coin < threshold_[slot] ? static_cast<std::int64_t>(slot) : alias_[slot];
}

Sampler::Sampler(const graph::UserItemGraph& graph, const TrainOptions& options)
    : graph_(graph),
      seed_(options.seed),
      batch_size_(options.batch_size > 0 ? options.batch_size : automatic_batch_size(graph)),
      num_negatives_(options.num_negatives),
      shared_negatives_(options.model.loss == models::LossKind::sampled_softmax),
      negatives_(negative_weights(graph, options.negative_power)) {
  if (shared_negatives_ && options.negative_correction > 0.0)
    bias_ = log_q_correction(graph, options);
  user_of_edge_.reserve(graph.user_items.columns.size());
  for (std::int64_t user = 0; user < graph.num_users; ++user) {
    user_of_edge_.insert(user_of_edge_.end(),
                         static_cast<std::size_t>(graph.user_items.view().row_size(user)),
                         static_cast<NodeId>(user));
  }
}

std::int64_t Sampler::steps_per_epoch() const {
  return (num_positives() + batch_size_ - 1) / batch_size_;
}

void Sampler::sample(std::int64_t epoch, std::int64_t step, SampledBatch& batch) const {
  const auto substream = static_cast<std::uint64_t>(epoch);
  const graph::Permutation shuffle(seed_, graph::Stream::shuffle, substream,
                                   static_cast<std::uint64_t>(num_positives()));
  const graph::Random random(seed_, graph::Stream::negatives, substream);
  const std::int64_t first = step * batch_size_;
  const std::int64_t size = std::min(batch_size_, num_positives() - first);
  batch.users.resize(static_cast<std::size_t>(size));
  batch.positives.resize(static_cast<std::size_t>(size));
  batch.negatives.resize(static_cast<std::size_t>(shared_negatives_ ? num_negatives_ : size));
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < size; ++b) {
    const auto edge = static_cast<std::size_t>(shuffle(static_cast<std::uint64_t>(first + b)));
    const auto place = static_cast<std::size_t>(b);
    batch.users[place] = user_of_edge_[edge];
    batch.positives[place] = graph_.user_items.columns[edge];
    if (shared_negatives_) continue;
    const auto own = graph_.user_items.view().row(batch.users[place]);
    for (std::uint64_t attempt = 0; attempt < kTries; ++attempt) {
      batch.negatives[place] = static_cast<NodeId>(
          negatives_.draw(random, static_cast<std::uint64_t>(first + b) * kTries + attempt));
      if (!std::binary_search(own.begin(), own.end(), batch.negatives[place])) break;
    }
  }
  if (!shared_negatives_) return;
  for (std::size_t m = 0; m < batch.negatives.size(); ++m) {
    batch.negatives[m] = static_cast<NodeId>(
        negatives_.draw(random, static_cast<std::uint64_t>(step * num_negatives_) + m));
  }
  const auto look_up = [&](const std::vector<NodeId>& items, std::vector<float>& bias) {
    bias.resize(bias_.empty() ? 0 : items.size());
    for (std::size_t place = 0; place < bias.size(); ++place)
      bias[place] = bias_[static_cast<std::size_t>(items[place])];
  };
  look_up(batch.positives, batch.positive_bias);
  look_up(batch.negatives, batch.negative_bias);
}

}  // namespace penchant::pipeline
