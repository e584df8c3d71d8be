// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/known_rows.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/data/mapped_rows.h"
#include "pipeline/data/sort_log.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Appends the user's rows, which are sorted by user; without times all are as old.
void append_rows(std::span<const NodeId> users, std::span<const NodeId> items,
                 std::span<const std::int64_t> times, NodeId user,
                 std::vector<std::pair<std::int64_t, NodeId>>& to) {
  const auto rows = std::equal_range(users.begin(), users.end(), user);
  for (auto row = static_cast<std::size_t>(rows.first - users.begin());
       row < static_cast<std::size_t>(rows.second - users.begin()); ++row)
    to.emplace_back(times.empty() ? 0 : times[row], items[row]);
}

void require_known_item(const Dataset& dataset, NodeId item) {
  if (item >= 0 && item < dataset.num_items()) return;
  throw InputError(fmt::format("{}: damaged: a row has item {} of {}", dataset.directory.string(),
                               item, dataset.num_items()));
}

}  // namespace

bool leaves_out_seen(const Dataset& dataset, SeenItems seen_items) {
  return seen_items == SeenItems::automatic ? !dataset.repeats_allowed
                                            : seen_items == SeenItems::mask;
}

std::vector<NodeId> known_items(const Dataset& dataset, NodeId user, KnownPart known) {
  std::vector<std::pair<std::int64_t, NodeId>> rows;
  const auto append = [&](const graph::Interactions& part, const char* name) {
    if (dataset.use == DatasetUse::everything) {
      append_rows(part.user, part.item, part.time_ms, user, rows);
      return;
    }
    const MappedRows mapped(dataset, name);
    append_rows(mapped.users.values(), mapped.items.values(), mapped.times(), user, rows);
  };
  append(dataset.split.train.interactions, "train");
  if (known == KnownPart::train_and_validation) append(dataset.split.validation, "validation");
  // As sort_log() does: rows of one time stay in the order of the log.
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<NodeId> items;
  for (const auto& [time, item] : rows) {
    require_known_item(dataset, item);
    items.push_back(item);
  }
  return items;
}

struct KnownItems::Impl {
  struct Part {
    std::optional<MappedRows> mapped;
    std::span<const NodeId> users, items;
  };
  const Dataset& dataset;
  std::vector<Part> parts = {};
};

KnownItems::KnownItems(const Dataset& dataset, KnownPart known)
    : impl_(std::make_unique<Impl>(Impl{dataset})) {
  const auto add = [&](const graph::Interactions& part, const char* name) {
    Impl::Part& added = impl_->parts.emplace_back();
    if (dataset.use == DatasetUse::lookup) {
      added.mapped.emplace(dataset, name);
      added.users = added.mapped->users.values();
      added.items = added.mapped->items.values();
    } else {
      added.users = part.user;
      added.items = part.item;
    }
  };
  add(dataset.split.train.interactions, "train");
  if (known == KnownPart::train_and_validation) add(dataset.split.validation, "validation");
}

KnownItems::~KnownItems() = default;

graph::Csr KnownItems::of(std::span<const NodeId> users) const {
  const Dataset& dataset = impl_->dataset;
  graph::Csr known;
  known.num_rows = static_cast<std::int64_t>(users.size());
  known.num_cols = dataset.num_items();
  std::vector<std::pair<std::int64_t, NodeId>> rows;
  for (const NodeId user : users) {
    rows.clear();
    for (const Impl::Part& part : impl_->parts) append_rows(part.users, part.items, {}, user, rows);
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (const auto& [time, item] : rows) {
      require_known_item(dataset, item);
      known.columns.push_back(item);
    }
    known.offsets.push_back(static_cast<graph::EdgeOffset>(known.columns.size()));
  }
  return known;
}

graph::TrainingPart train_and_validation(const graph::SplitInteractions& split,
                                         std::int64_t num_users) {
  graph::TrainingPart merged = split.train;
  graph::Interactions& rows = merged.interactions;
  const graph::Interactions& more = split.validation;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(rows.user, more.user);
  append(rows.item, more.item);
  append(rows.weight, more.weight);
  append(rows.time_ms, more.time_ms);
  append(rows.event, more.event);
  append(rows.session, more.session);
  sort_log(rows, num_users);
  return merged;
}

graph::TrainingPart train_and_validation(const Dataset& dataset) {
  return train_and_validation(dataset.split, dataset.num_users());
}

}  // namespace penchant::pipeline
