// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/history_batch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;

namespace {

using graph::at;

}  // namespace

void HistoryBatch::assign(const Histories& histories, std::span<const Span> spans,
                          float history_decay) {
  order_.resize(spans.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
    return spans[at(a)].length > spans[at(b)].length;
  });
  offsets_.assign(1, 0);
  for (auto* column : {&items_, &events_, &gaps_, &last_events_}) column->clear();
  history_scale_.clear();
  for (const std::int64_t place : order_) {
    const Span& span = spans[at(place)];
    PENCHANT_ASSERT(span.length > 0);
    const std::size_t first = at(histories.offsets[at(span.row)] + span.first);
    double weight = 0.0;
    for (std::size_t k = first; k < first + at(span.length); ++k) {
      items_.push_back(histories.items[k]);
      if (!histories.events.empty()) events_.push_back(histories.events[k]);
      if (!histories.gap_buckets.empty()) gaps_.push_back(histories.gap_buckets[k]);
      weight = 1.0 + static_cast<double>(history_decay) * weight;
      history_scale_.push_back(static_cast<float>(1.0 / std::sqrt(weight)));
    }
    offsets_.push_back(num_events());
    last_events_.push_back(static_cast<NodeId>(num_events() - 1));
  }
  step_offsets_.assign(1, 0);
  packed_rows_.clear();
  event_rows_.resize(items_.size());
  const std::int64_t longest = spans.empty() ? 0 : offsets_[1];
  for (std::int64_t t = 0; t < longest; ++t) {
    for (std::size_t b = 0; b + 1 < offsets_.size(); ++b) {
      const std::int64_t event = offsets_[b] + t;
      if (event >= offsets_[b + 1]) break;  // longest first: so are all that follow
      event_rows_[at(event)] = static_cast<NodeId>(packed_rows_.size());
      packed_rows_.push_back(static_cast<NodeId>(event));
    }
    step_offsets_.push_back(static_cast<std::int64_t>(packed_rows_.size()));
  }
}

models::InterestBatch HistoryBatch::upload(Backend& backend) {
  const auto ids = [&](models::DeviceArray<NodeId>& device, const std::vector<NodeId>& host) {
    return device.upload(backend, std::span<const NodeId>(host));
  };
  models::InterestBatch batch;
  batch.sequences = {{offsets_},
                     {step_offsets_},
                     ids(device_.packed_rows, packed_rows_),
                     ids(device_.event_rows, event_rows_)};
  batch.items = ids(device_.items, items_);
  batch.events = ids(device_.events, events_);
  batch.gaps = ids(device_.gaps, gaps_);
  batch.last_events = ids(device_.last_events, last_events_);
  batch.history_scale =
      device_.history_scale.upload(backend, std::span<const float>(history_scale_));
  return batch;
}

}  // namespace penchant::pipeline
