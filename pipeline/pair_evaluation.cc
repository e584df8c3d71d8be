// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pair_evaluation.h"

#include <algorithm>
#include <limits>

#include "graph/error.h"
#include "graph/random.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::int64_t kUsersPerBatch = 1024;
constexpr graph::Seed kPairSeed{1};
/// Of Stream::validation; 0 draws samples of users (evaluate.cc).
constexpr std::uint64_t kPairSubstream = 1;

std::span<const NodeId> items_of(const graph::Interactions& part, NodeId user) {
  const auto range = std::equal_range(part.user.begin(), part.user.end(), user);
  return std::span(part.item).subspan(static_cast<std::size_t>(range.first - part.user.begin()),
                                      static_cast<std::size_t>(range.second - range.first));
}

void sort_distinct(std::vector<NodeId>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

/// The item of this rank among those not in `excluded` (ascending).
NodeId other_item(std::span<const NodeId> excluded, std::int64_t rank) {
  for (const NodeId item : excluded) {
    if (item > rank) break;
    ++rank;
  }
  return static_cast<NodeId>(rank);
}

}  // namespace

PairTask make_pair_task(const Dataset& dataset, HeldOut part) {
  const graph::Interactions& held_out =
      part == HeldOut::test ? dataset.split.test : dataset.split.validation;
  const graph::Random random(kPairSeed, graph::Stream::validation, kPairSubstream);
  PairTask task;
  std::vector<NodeId> had;
  for (NodeId user = 0; user < dataset.num_users(); ++user) {
    const std::span<const NodeId> targets = items_of(held_out, user);
    if (targets.empty()) continue;
    const auto train = items_of(dataset.split.train.interactions, user);
    had.assign(train.begin(), train.end());
    if (part == HeldOut::test) {
      const auto validation = items_of(dataset.split.validation, user);
      had.insert(had.end(), validation.begin(), validation.end());
    }
    sort_distinct(had);
    const auto next = std::find_if(targets.begin(), targets.end(), [&](NodeId item) {
      return !std::binary_search(had.begin(), had.end(), item);
    });
    if (next == targets.end()) continue;
    had.insert(had.end(), targets.begin(), targets.end());
    sort_distinct(had);
    const std::int64_t num_others = dataset.num_items() - static_cast<std::int64_t>(had.size());
    if (num_others == 0) continue;
    const auto drawn =
        random.below(static_cast<std::uint64_t>(user), static_cast<std::uint64_t>(num_others));
    task.users.insert(task.users.end(), {user, user});
    task.items.insert(task.items.end(), {*next, other_item(had, static_cast<std::int64_t>(drawn))});
    task.labels.insert(task.labels.end(), {1, 0});
  }
  return task;
}

PairReport evaluate_pairs(InterestScorer& scorer, const Dataset& dataset, HeldOut part,
                          kernels::Backend& backend) {
  const PairTask task = make_pair_task(dataset, part);
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  const Histories histories = part == HeldOut::test
                                  ? make_histories_with_validation(dataset, kAll)
                                  : make_histories(dataset.split.train, dataset, kAll);
  std::vector<float> probabilities;
  std::vector<float> popularity;
  std::vector<NodeId> users;
  std::vector<NodeId> rows;
  for (std::int64_t first = 0; first < task.size(); first += 2 * kUsersPerBatch) {
    const std::int64_t count = std::min(2 * kUsersPerBatch, task.size() - first);
    users.clear();
    rows.clear();
    for (std::int64_t p = 0; p < count; ++p) {
      if (p % 2 == 0) users.push_back(task.users[static_cast<std::size_t>(first + p)]);
      rows.push_back(static_cast<NodeId>(p / 2));
    }
    const auto items =
        std::span(task.items)
            .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const std::vector<float> scores =
        scorer.pair_scores(select_histories(histories, users), rows, items, backend);
    PENCHANT_ASSERT(static_cast<std::int64_t>(scores.size()) == count);
    probabilities.insert(probabilities.end(), scores.begin(), scores.end());
  }
  for (const NodeId item : task.items) {
    popularity.push_back(
        static_cast<float>(dataset.item_statistics.count[static_cast<std::size_t>(item)]));
  }
  PairReport report;
  report.metrics = pair_metrics(task.labeled(), probabilities);
  report.popularity_auc = pair_auc(task.labels, popularity);
  report.popularity_user_auc = user_auc(task.labeled(), popularity);
  report.num_pairs = task.size();
  return report;
}

}  // namespace penchant::pipeline
