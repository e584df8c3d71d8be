// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Small data needs more steps to learn, large data larger batches to keep the cores busy.
std::int64_t automatic_batch_size(const graph::UserItemGraph& graph) {
  constexpr std::uint64_t kSmallest = 512;
  constexpr std::uint64_t kLargest = 8192;
  constexpr std::uint64_t kStepsPerEpoch = 64;
  const std::uint64_t share = graph.user_items.columns.size() / kStepsPerEpoch;
  return static_cast<std::int64_t>(std::clamp(std::bit_floor(share), kSmallest, kLargest));
}

std::int64_t batch_size(const graph::UserItemGraph& graph, const TrainOptions& options) {
  return options.batch_size > 0 ? options.batch_size : automatic_batch_size(graph);
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
    : thresholds(weights.size(), 1.0), aliases(weights.size()) {
  double total = 0.0;
  for (const double weight : weights) total += weight;
  PENCHANT_ASSERT(total > 0.0);
  std::vector<NodeId> small;
  std::vector<NodeId> large;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    thresholds[i] = weights[i] / total * static_cast<double>(weights.size());
    aliases[i] = static_cast<NodeId>(i);
    (thresholds[i] < 1.0 ? small : large).push_back(static_cast<NodeId>(i));
  }
  while (!small.empty() && !large.empty()) {
    const NodeId poor = small.back();
    const NodeId rich = large.back();
    small.pop_back();
    aliases[static_cast<std::size_t>(poor)] = rich;
    double& rest = thresholds[static_cast<std::size_t>(rich)];
    rest -= 1.0 - thresholds[static_cast<std::size_t>(poor)];
    if (rest < 1.0) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  // Rounding leaves a few that should be exactly 1; of weight 0 none is among them, for they were
  // paired first or their own threshold is 0.
  for (const NodeId i : large) thresholds[static_cast<std::size_t>(i)] = 1.0;
  for (const NodeId i : small) {
    if (weights[static_cast<std::size_t>(i)] > 0.0) {
      thresholds[static_cast<std::size_t>(i)] = 1.0;
    } else {
      aliases[static_cast<std::size_t>(i)] =
          static_cast<NodeId>(std::max_element(weights.begin(), weights.end()) - weights.begin());
    }
  }
}

std::int64_t steps_per_epoch(const graph::UserItemGraph& graph, const TrainOptions& options) {
  const std::int64_t size = batch_size(graph, options);
  const auto pairs = static_cast<std::int64_t>(graph.user_items.columns.size());
  return pairs / size + (pairs % size > 0 ? 1 : 0);
}

Sampler::Sampler(const graph::UserItemGraph& graph, const TrainOptions& options,
                 std::span<const NodeId> node_ids, kernels::Backend& backend)
    : backend_(backend),
      batch_size_(batch_size(graph, options)),
      num_negatives_(options.num_negatives),
      kind_(options.model.loss == models::LossKind::sampled_softmax ? kernels::Negatives::shared
                                                                    : kernels::Negatives::own),
      has_bias_(kind_ == kernels::Negatives::shared && options.negative_correction > 0.0) {
  const AliasTable negatives(negative_weights(graph, options.negative_power));
  std::vector<float> bias;
  if (has_bias_) bias = log_q_correction(graph, options);
  source_ = backend.pair_source({graph.user_items.view(), negatives.thresholds, negatives.aliases,
                                 node_ids, bias, options.seed});
}

kernels::PairDraw Sampler::batch(std::int64_t epoch, std::int64_t step) {
  kernels::PairDraw draw;
  draw.epoch = static_cast<std::uint64_t>(epoch);
  draw.first_pair = step * batch_size_;
  draw.kind = kind_;
  draw.first_negative = step * num_negatives_;
  const std::int64_t size = std::min(batch_size_, num_positives() - draw.first_pair);
  const std::int64_t num_negatives = kind_ == kernels::Negatives::shared ? num_negatives_ : size;
  draw.users = users_.view(backend_, size);
  draw.positives = positives_.view(backend_, size);
  draw.negatives = negatives_.view(backend_, num_negatives);
  if (!has_bias_) return draw;
  draw.positive_bias = positive_bias_.view(backend_, size);
  draw.negative_bias = negative_bias_.view(backend_, num_negatives);
  return draw;
}

}  // namespace penchant::pipeline
