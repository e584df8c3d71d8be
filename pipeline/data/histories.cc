// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/histories.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;

std::uint8_t gap_bucket(std::int64_t gap_ms) {
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(gap_ms, 0) / 1000);
  return static_cast<std::uint8_t>(
      std::min<std::int64_t>(1 + std::bit_width(seconds), kNumGapBuckets - 1));
}

namespace {

/// later - earlier, 0 where it is not later; the ends of int64 are as far apart as it can say.
std::int64_t gap_between(std::int64_t earlier, std::int64_t later) {
  if (later <= earlier) return 0;
  const std::uint64_t gap = static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(gap, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace

Histories make_histories(const graph::TrainingPart& part, const Dataset& dataset,
                         std::int64_t max_length) {
  PENCHANT_ASSERT(max_length >= 1);
  const graph::Interactions& log = part.interactions;
  const bool typed = dataset.event_names.size() > 1 && !log.event.empty();
  const bool timed = !log.time_ms.empty();
  Histories histories;
  histories.offsets.reserve(static_cast<std::size_t>(dataset.num_users()) + 1);
  std::size_t next = 0;
  for (NodeId user = 0; user < dataset.num_users(); ++user) {
    const std::size_t first = next;
    while (next < log.user.size() && log.user[next] == user) ++next;
    const std::size_t kept = std::min(next - first, static_cast<std::size_t>(max_length));
    for (std::size_t row = next - kept; row < next; ++row) {
      histories.items.push_back(log.item[row]);
      histories.weights.push_back(log.weight[row]);
      if (typed) histories.events.push_back(static_cast<std::uint8_t>(log.event[row]));
      if (timed) {
        histories.gap_buckets.push_back(
            row == first ? std::uint8_t{0}
                         : gap_bucket(gap_between(log.time_ms[row - 1], log.time_ms[row])));
      }
    }
    histories.offsets.push_back(static_cast<std::int64_t>(histories.items.size()));
  }
  PENCHANT_ASSERT(next == log.user.size());  // rows are sorted by user
  return histories;
}

Histories make_histories_with_validation(const Dataset& dataset, std::int64_t max_length) {
  return make_histories(train_and_validation(dataset), dataset, max_length);
}

Histories known_histories(const Dataset& dataset, KnownPart known, std::int64_t max_length) {
  return known == KnownPart::train ? make_histories(dataset.split.train, dataset, max_length)
                                   : make_histories_with_validation(dataset, max_length);
}

Histories known_history(const Dataset& dataset, NodeId user, KnownPart known) {
  Histories histories;
  histories.items = known_items(dataset, user, known);
  const auto size = static_cast<std::size_t>(dataset.num_users());
  histories.offsets.assign(size + 1, 0);
  std::fill(histories.offsets.begin() + user + 1, histories.offsets.end(),
            static_cast<std::int64_t>(histories.items.size()));
  return histories;
}

Histories history_of_items(std::span<const NodeId> items) {
  Histories histories;
  histories.items.assign(items.begin(), items.end());
  histories.offsets.push_back(static_cast<std::int64_t>(items.size()));
  return histories;
}

Histories history_of_events(std::span<const PersonEvent> events, KnownOfEvents known) {
  Histories histories;
  for (std::size_t k = 0; k < events.size(); ++k) {
    histories.items.push_back(events[k].item);
    if (known.types) histories.events.push_back(events[k].event);
    if (known.times) {
      histories.gap_buckets.push_back(
          k == 0 ? std::uint8_t{0}
                 : gap_bucket(gap_between(events[k - 1].time_ms, events[k].time_ms)));
    }
  }
  histories.offsets.push_back(static_cast<std::int64_t>(events.size()));
  return histories;
}

std::vector<PersonEvent> events_of_user(const Dataset& dataset, NodeId user) {
  PENCHANT_ASSERT(dataset.use == DatasetUse::everything);
  std::vector<PersonEvent> events;
  const auto append = [&](const graph::Interactions& part) {
    const auto rows = std::equal_range(part.user.begin(), part.user.end(), user);
    for (auto row = static_cast<std::size_t>(rows.first - part.user.begin());
         row < static_cast<std::size_t>(rows.second - part.user.begin()); ++row) {
      events.push_back(
          {part.item[row], part.time_ms.empty() ? graph::kNoTime : part.time_ms[row],
           part.event.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(part.event[row])});
    }
  };
  append(dataset.split.train.interactions);
  append(dataset.split.validation);
  // As sort_log() does: rows of one time stay in the order of the log.
  std::stable_sort(events.begin(), events.end(), [](const PersonEvent& a, const PersonEvent& b) {
    return a.time_ms < b.time_ms;
  });
  return events;
}

KnownOfEvents known_of_events(const Dataset& dataset) {
  const graph::Interactions& log = dataset.split.train.interactions;
  return {dataset.event_names.size() > 1 && !log.event.empty(), !log.time_ms.empty()};
}

Histories select_histories(const Histories& histories, std::span<const NodeId> rows) {
  Histories selected;
  for (const NodeId row : rows) {
    const auto first = histories.offsets[static_cast<std::size_t>(row)];
    const auto last = histories.offsets[static_cast<std::size_t>(row) + 1];
    const auto append = [&](auto& to, const auto& from) {
      if (!from.empty()) to.insert(to.end(), from.begin() + first, from.begin() + last);
    };
    append(selected.items, histories.items);
    append(selected.events, histories.events);
    append(selected.gap_buckets, histories.gap_buckets);
    append(selected.weights, histories.weights);
    selected.offsets.push_back(static_cast<std::int64_t>(selected.items.size()));
  }
  return selected;
}

}  // namespace penchant::pipeline
