// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/behaviour.h"

#include <algorithm>

namespace penchant::pipeline {

using graph::at;

namespace {

/// Times that are places in a sequence stay far below what a log of an hour spans.
constexpr std::int64_t kHourMs = 3'600'000;

Period validation_period(const Dataset& dataset) {
  const auto& train = dataset.split.train.interactions.time_ms;
  const auto& validation = dataset.split.validation.time_ms;
  if (train.empty() || validation.empty()) return {};
  const auto [first, last] = std::minmax_element(validation.begin(), validation.end());
  if (*first == graph::kNoTime || *last - *first < kHourMs) return {};
  if (*std::max_element(train.begin(), train.end()) > *first) return {};
  return {*first, *last - *first};
}

}  // namespace

Behaviour::Behaviour(const Dataset& dataset, KnownPart known)
    : train_(part_of(dataset.split.train.interactions, dataset.num_users())),
      period_(validation_period(dataset)),
      has_sessions_(!dataset.split.train.interactions.session.empty()) {
  if (known == KnownPart::train) return;
  validation_ = part_of(dataset.split.validation, dataset.num_users());
  period_.cut_ms += period_.length_ms;
}

Behaviour::Part Behaviour::part_of(const graph::Interactions& rows, std::int64_t num_users) {
  Part part{&rows, std::vector<std::int64_t>(at(num_users) + 1, 0)};
  for (const graph::NodeId user : rows.user) ++part.first[at(user) + 1];
  for (std::size_t user = 1; user < part.first.size(); ++user)
    part.first[user] += part.first[user - 1];
  return part;
}

}  // namespace penchant::pipeline
