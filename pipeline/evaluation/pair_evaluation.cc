// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/pair_evaluation.h"

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

/// Histories of all users before the part.
Histories known_histories(const Dataset& dataset, HeldOut part) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  return part == HeldOut::test ? make_histories_with_validation(dataset, kAll)
                               : make_histories(dataset.split.train, dataset, kAll);
}

/// What the scorer says of (users[p], items[p]), where rows of one user follow each other.
std::vector<float> ask(InterestScorer& scorer, const Histories& histories,
                       std::span<const NodeId> users, std::span<const NodeId> items,
                       kernels::Backend& backend) {
  std::vector<float> answers;
  std::vector<NodeId> distinct;
  std::vector<NodeId> rows;
  for (std::size_t first = 0; first < users.size();) {
    distinct.clear();
    rows.clear();
    std::size_t last = first;
    for (; last < users.size(); ++last) {
      if (last == first || users[last] != users[last - 1]) {
        if (static_cast<std::int64_t>(distinct.size()) == kUsersPerBatch) break;
        distinct.push_back(users[last]);
      }
      rows.push_back(static_cast<NodeId>(distinct.size() - 1));
    }
    const std::vector<float> scores = scorer.pair_scores(
        select_histories(histories, distinct), rows, items.subspan(first, last - first), backend);
    PENCHANT_ASSERT(scores.size() == last - first);
    answers.insert(answers.end(), scores.begin(), scores.end());
    first = last;
  }
  return answers;
}

/// Mean training weight of each item, the mean of all where it has no row.
std::vector<float> item_means(const Dataset& dataset) {
  const graph::Interactions& train = dataset.split.train.interactions;
  std::vector<double> sums(static_cast<std::size_t>(dataset.num_items()), 0.0);
  std::vector<double> counts(sums.size(), 0.0);
  double total = 0.0;
  for (std::size_t row = 0; row < train.item.size(); ++row) {
    sums[static_cast<std::size_t>(train.item[row])] += train.weight[row];
    counts[static_cast<std::size_t>(train.item[row])] += 1.0;
    total += train.weight[row];
  }
  const double mean = train.empty() ? 0.0 : total / static_cast<double>(train.size());
  std::vector<float> means(sums.size());
  for (std::size_t item = 0; item < means.size(); ++item)
    means[item] = static_cast<float>(counts[item] > 0 ? sums[item] / counts[item] : mean);
  return means;
}

}  // namespace

RatingReport evaluate_ratings(InterestScorer& scorer, const Dataset& dataset, HeldOut part,
                              kernels::Backend& backend) {
  const graph::Interactions& held_out =
      part == HeldOut::test ? dataset.split.test : dataset.split.validation;
  const std::vector<float> predicted =
      ask(scorer, known_histories(dataset, part), held_out.user, held_out.item, backend);
  const std::vector<float> means = item_means(dataset);
  std::vector<float> item_mean;
  for (const NodeId item : held_out.item)
    item_mean.push_back(means[static_cast<std::size_t>(item)]);
  return {rating_metrics(predicted, held_out.weight), rating_metrics(item_mean, held_out.weight),
          held_out.size()};
}

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
  const std::vector<float> probabilities =
      ask(scorer, known_histories(dataset, part), task.users, task.items, backend);
  std::vector<float> popularity;
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
