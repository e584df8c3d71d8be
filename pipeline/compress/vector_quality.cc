// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/vector_quality.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "kernels/transfer.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/lists.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::int64_t kComparedUsers = 2000;
/// Scores that one ranking of validation users takes at most: some minutes on two cores.
constexpr std::int64_t kMostScores = 20'000'000'000;
constexpr graph::Seed kSampleSeed{42};
constexpr std::int64_t kUsersAtOnce = 1024;

std::vector<NodeId> evenly_spread(std::int64_t num_users) {
  std::vector<NodeId> users;
  const std::int64_t count = std::min(num_users, kComparedUsers);
  for (std::int64_t k = 0; k < count; ++k)
    users.push_back(static_cast<NodeId>(k * num_users / count));
  return users;
}

/// Null where there was nothing to lose.
json share_lost(double before, double after) {
  return before > 0.0 ? json(1.0 - after / before) : json();
}

}  // namespace

std::int64_t most_judged_users(std::int64_t num_items) {
  return std::max(kComparedUsers, kMostScores / std::max<std::int64_t>(num_items, 1));
}

VectorQuality::VectorQuality(const Dataset& dataset, const RankedVectors& before,
                             std::int64_t cutoff, kernels::Backend& backend, Progress& progress)
    : dataset_(dataset),
      backend_(backend),
      progress_(progress),
      cutoff_(std::min(cutoff, dataset.num_items())),
      sample_(evenly_spread(dataset.num_users())) {
  if (!dataset.split.validation.empty())
    task_ = sample_task(make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic),
                        most_judged_users(dataset.num_items()), kSampleSeed);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto start = Clock::now();
  before_ = metrics(before);
  const auto lists_start = Clock::now();
  lists_before_ = lists(before);
  seconds_a_list_ =
      since(lists_start) / static_cast<double>(std::max<std::size_t>(sample_.size(), 1));
  seconds_ = since(start);
}

std::map<std::string, double> VectorQuality::metrics(const RankedVectors& vectors) const {
  if (!task_) return {};
  EvaluateOptions options;
  options.part = HeldOut::validation;
  options.cutoffs = {cutoff_};
  options.rank_metrics = false;
  std::vector<std::int64_t> counts(at(dataset_.num_items()));
  for (const NodeId item : dataset_.split.train.interactions.item) ++counts[at(item)];
  return evaluate_vectors(vectors.users, vectors.items, *task_, counts, options, backend_,
                          progress_)
      .metrics;
}

std::vector<std::vector<NodeId>> VectorQuality::lists(const RankedVectors& vectors) const {
  ListSelector selector(dataset_.num_items(), cutoff_, {}, backend_);
  const KnownItems known(dataset_, KnownPart::train);
  const bool leave_out = leaves_out_seen(dataset_, SeenItems::automatic);
  kernels::FloatMatrix queries = backend_.matrix<float>(kUsersAtOnce, vectors.users.cols);
  std::vector<std::vector<NodeId>> result;
  for (std::size_t first = 0; first < sample_.size(); first += at(kUsersAtOnce)) {
    const auto users =
        std::span(sample_).subspan(first, std::min(at(kUsersAtOnce), sample_.size() - first));
    const auto count = static_cast<std::int64_t>(users.size());
    const kernels::FloatView block = queries.view().rows_of(0, count);
    backend_.gather_rows(vectors.users, {users.data(), count, kernels::Device::cpu}, block);
    const graph::Csr seen = leave_out ? known.of(users) : graph::Csr{};
    const ListBlock best = selector.by_vectors(block, vectors.items, seen.view(), users);
    for (std::int64_t b = 0; b < count; ++b) {
      const NodeId* row = best.items.row(b);
      std::vector<NodeId> list(row, std::find(row, row + best.items.cols, graph::kNoNode));
      std::sort(list.begin(), list.end());
      result.push_back(std::move(list));
    }
  }
  return result;
}

json VectorQuality::compare(const RankedVectors& after) const {
  json result;
  result["validation"] = nullptr;
  if (task_) {
    json& told = result["validation"];
    told["users"] = task_->users.size();
    const std::map<std::string, double> now = metrics(after);
    for (const char* metric : {"recall", "hit_rate", "ndcg"}) {
      const std::string name = fmt::format("{}@{}", metric, cutoff_);
      told[name] = {{"before", before_.at(name)},
                    {"after", now.at(name)},
                    {"lost", share_lost(before_.at(name), now.at(name))}};
    }
  }
  const std::vector<std::vector<NodeId>> now = lists(after);
  double sum = 0.0;
  std::size_t with_list = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const std::vector<NodeId>& old = lists_before_[i];
    if (old.empty()) continue;
    std::vector<NodeId> both;
    std::set_intersection(old.begin(), old.end(), now[i].begin(), now[i].end(),
                          std::back_inserter(both));
    sum += static_cast<double>(both.size()) / static_cast<double>(old.size());
    ++with_list;
  }
  result[fmt::format("overlap@{}", cutoff_)] =
      with_list > 0 ? json(sum / static_cast<double>(with_list)) : json();
  return result;
}

}  // namespace penchant::pipeline
