// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/known_rows.h"

#include <algorithm>
#include <span>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/npy.h"
#include "pipeline/data/sort_log.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Appends the items of the user's rows, which are sorted by user.
void append_items(std::span<const NodeId> users, std::span<const NodeId> items, NodeId user,
                  std::vector<NodeId>& to) {
  const auto rows = std::equal_range(users.begin(), users.end(), user);
  to.insert(to.end(), items.begin() + (rows.first - users.begin()),
            items.begin() + (rows.second - users.begin()));
}

}  // namespace

bool leaves_out_seen(const Dataset& dataset, SeenItems seen_items) {
  return seen_items == SeenItems::automatic ? !dataset.repeats_allowed
                                            : seen_items == SeenItems::mask;
}

std::vector<NodeId> known_items(const Dataset& dataset, NodeId user) {
  std::vector<NodeId> known;
  if (dataset.use == DatasetUse::everything) {
    for (const graph::Interactions* part :
         {&dataset.split.train.interactions, &dataset.split.validation})
      append_items(part->user, part->item, user, known);
    return known;
  }
  for (const char* part : {"train", "validation"}) {
    const auto folder = dataset.directory / part;
    const graph::MappedNpy<NodeId> users(folder / "user.npy");
    const graph::MappedNpy<NodeId> items(folder / "item.npy");
    if (users.rows() != items.rows()) {
      throw InputError(fmt::format("{}: damaged: {} items of {} users",
                                   (folder / "item.npy").string(), items.rows(), users.rows()));
    }
    append_items(users.values(), items.values(), user, known);
  }
  for (const NodeId item : known) {
    if (item < 0 || item >= dataset.num_items()) {
      throw InputError(fmt::format("{}: damaged: a row has item {} of {}",
                                   dataset.directory.string(), item, dataset.num_items()));
    }
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
