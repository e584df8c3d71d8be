// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/history_sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;

namespace {

using graph::at;

/// A sampled item that the user has had is drawn again, so many times at most.
constexpr std::uint64_t kTries = 8;

}  // namespace

HistorySampler::HistorySampler(Histories histories, const graph::UserItemGraph& graph,
                               const TrainOptions& options)
    : histories_(std::move(histories)),
      graph_(graph),
      seed_(options.seed),
      history_decay_(options.model.interest.history_decay),
      num_negatives_(options.num_negatives),
      negatives_(negative_weights(graph, options.negative_power)) {
  const std::int64_t max_length = options.model.interest.max_length;
  std::int64_t num_targets = 0;
  for (std::int64_t row = 0; row < histories_.size(); ++row) {
    const std::int64_t inputs = histories_.length(row) - 1;
    // Pieces end at the last event; the first one takes what is left over.
    for (std::int64_t end = inputs; end > 0; end -= max_length) {
      const std::int64_t first = std::max<std::int64_t>(0, end - max_length);
      spans_.push_back({row, first, end - first});
      num_targets += end - first;
    }
  }
  if (spans_.empty()) {
    throw InputError(
        "train: no user has two events in the training part, so there is no next event to learn; "
        "model.kind interest needs sequences");
  }
  constexpr std::uint64_t kSmallest = 512;
  constexpr std::uint64_t kLargest = 4096;
  constexpr std::uint64_t kStepsPerEpoch = 128;
  const std::int64_t batch_size =
      options.batch_size > 0
          ? options.batch_size
          : static_cast<std::int64_t>(
                std::clamp(std::bit_floor(static_cast<std::uint64_t>(num_targets) / kStepsPerEpoch),
                           kSmallest, kLargest));
  const double mean_length = static_cast<double>(num_targets) / static_cast<double>(spans_.size());
  // A batch may be asked for that is larger than the log.
  const auto num_spans = static_cast<double>(spans_.size());
  spans_per_step_ = std::max<std::int64_t>(
      1, std::llround(std::min(static_cast<double>(batch_size) / mean_length, num_spans)));

  for (NodeId item = 0; item < graph.num_items; ++item) {
    if (graph.item_users.view().row_size(item) > 0) candidates_.push_back(item);
  }
  if (static_cast<std::int64_t>(candidates_.size()) > num_negatives_) {
    candidates_.clear();
    bias_ = log_q_correction(graph, options);
  }
}

std::int64_t HistorySampler::steps_per_epoch() const {
  return (static_cast<std::int64_t>(spans_.size()) + spans_per_step_ - 1) / spans_per_step_;
}

void HistorySampler::draw_negatives(std::int64_t epoch, std::int64_t step,
                                    models::InterestTargets& targets, Backend& backend) {
  if (!candidates_.empty()) {
    targets.negatives = device_.negatives.upload(backend, std::span<const NodeId>(candidates_));
    return;
  }
  if (!negative_source_) {
    const graph::Csr none{0, graph_.num_items, {0}, {}, {}};
    negative_source_ = backend.pair_source(
        {none.view(), negatives_.thresholds, negatives_.aliases, {}, bias_, seed_});
  }
  kernels::PairDraw draw;
  draw.epoch = static_cast<std::uint64_t>(epoch) * 2;
  draw.kind = kernels::Negatives::shared;
  draw.first_negative = step * num_negatives_;
  draw.negatives = device_.negatives.view(backend, num_negatives_);
  draw.negative_bias = device_.negative_bias.view(backend, num_negatives_);
  backend.draw_pairs(*negative_source_, draw);
  targets.negatives = draw.negatives;
  targets.negative_bias = draw.negative_bias;
  positive_bias_.clear();
  for (const NodeId item : targets_) positive_bias_.push_back(bias_[at(item)]);
  targets.positive_bias =
      device_.positive_bias.upload(backend, std::span<const float>(positive_bias_));
}

void HistorySampler::draw_unobserved(std::int64_t epoch, std::int64_t step,
                                     std::span<const std::int64_t> offsets) {
  const graph::Random random(seed_, graph::Stream::negatives,
                             static_cast<std::uint64_t>(epoch) * 2 + 1);
  unobserved_.resize(targets_.size());
  const auto num_items = static_cast<std::uint64_t>(graph_.num_items);
  // Positions of a step: so many that no two steps share one.
  const std::uint64_t step_base = static_cast<std::uint64_t>(step) << 32;
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const auto own = graph_.user_items.view().row(users_[b]);
    for (std::size_t k = at(offsets[b]); k < at(offsets[b + 1]); ++k) {
      for (std::uint64_t attempt = 0; attempt < kTries; ++attempt) {
        unobserved_[k] =
            static_cast<NodeId>(random.below(step_base + k * kTries + attempt, num_items));
        if (!std::binary_search(own.begin(), own.end(), unobserved_[k])) break;
      }
    }
  }
}

models::InterestTargets HistorySampler::sample(std::int64_t epoch, std::int64_t step,
                                               HistoryBatch& batch, Backend& backend) {
  const auto num_spans = static_cast<std::int64_t>(spans_.size());
  const graph::Permutation shuffle(seed_, graph::Stream::shuffle, static_cast<std::uint64_t>(epoch),
                                   static_cast<std::uint64_t>(num_spans));
  const std::int64_t first = step * spans_per_step_;
  const std::int64_t last = std::min(first + spans_per_step_, num_spans);
  chosen_.clear();
  for (std::int64_t k = first; k < last; ++k)
    chosen_.push_back(
        spans_[at(static_cast<std::int64_t>(shuffle(static_cast<std::uint64_t>(k))))]);
  batch.assign(histories_, chosen_, history_decay_);
  targets_.clear();
  users_.clear();
  ratings_.clear();
  for (const std::int64_t place : batch.order()) {
    const Span& span = chosen_[at(place)];
    users_.push_back(static_cast<NodeId>(span.row));
    const std::size_t from = at(histories_.offsets[at(span.row)] + span.first + 1);
    const auto append = [&](auto& to, const auto& column) {
      if (column.empty()) return;
      to.insert(to.end(), column.begin() + static_cast<std::ptrdiff_t>(from),
                column.begin() + static_cast<std::ptrdiff_t>(from + at(span.length)));
    };
    append(targets_, histories_.items);
    append(ratings_, histories_.weights);
  }
  draw_unobserved(epoch, step, batch.offsets());

  const auto ids = [&](models::DeviceArray<NodeId>& device, const std::vector<NodeId>& host) {
    return device.upload(backend, std::span<const NodeId>(host));
  };
  const auto numbers = [&](models::DeviceArray<float>& device, const std::vector<float>& host) {
    return device.upload(backend, std::span<const float>(host));
  };
  models::InterestTargets targets;
  targets.items = ids(device_.targets, targets_);
  targets.unobserved = ids(device_.unobserved, unobserved_);
  targets.ratings = numbers(device_.ratings, ratings_);
  draw_negatives(epoch, step, targets, backend);
  return targets;
}

}  // namespace penchant::pipeline
