// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/baselines.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/parallel.h"
#include "graph/user_item_graph.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::int64_t kNeighbours = 100;

using graph::at;

}  // namespace

graph::Csr item_neighbours(const graph::TrainingPart& known, std::int64_t num_users,
                           std::int64_t num_items, std::int64_t top_k) {
  const graph::UserItemGraph pairs = graph::build_user_item_graph(known, num_users, num_items);
  const graph::CsrView items_of = pairs.user_items.view();
  const graph::CsrView users_of = pairs.item_users.view();
  std::vector<std::vector<std::pair<NodeId, float>>> kept(at(num_items));
  graph::parallel_for(num_items, 64, [&](const graph::Share& items) {
    std::vector<std::int64_t> shared(at(num_items), 0);
    std::vector<NodeId> touched;
    for (const std::int64_t item : items) {
      for (const NodeId user : users_of.row(item)) {
        for (const NodeId other : items_of.row(user)) {
          if (other != item && shared[at(other)]++ == 0) touched.push_back(other);
        }
      }
      auto& neighbours = kept[at(item)];
      for (const NodeId other : touched) {
        const double norm = std::sqrt(static_cast<double>(users_of.row_size(item)) *
                                      static_cast<double>(users_of.row_size(other)));
        neighbours.emplace_back(other,
                                static_cast<float>(static_cast<double>(shared[at(other)]) / norm));
        shared[at(other)] = 0;
      }
      touched.clear();
      const auto count = std::min(static_cast<std::ptrdiff_t>(top_k),
                                  static_cast<std::ptrdiff_t>(neighbours.size()));
      std::partial_sort(neighbours.begin(), neighbours.begin() + count, neighbours.end(),
                        [](const auto& a, const auto& b) {
                          return a.second != b.second ? a.second > b.second : a.first < b.first;
                        });
      neighbours.resize(static_cast<std::size_t>(count));
      neighbours.shrink_to_fit();
      std::sort(neighbours.begin(), neighbours.end());
    }
  });
  graph::Csr result;
  result.num_rows = num_items;
  result.num_cols = num_items;
  for (const auto& neighbours : kept) {
    for (const auto& [other, similarity] : neighbours) {
      result.columns.push_back(other);
      result.values.push_back(similarity);
    }
    result.offsets.push_back(static_cast<graph::EdgeOffset>(result.columns.size()));
  }
  return result;
}

HistoryBaseline::HistoryBaseline(const Histories& histories,
                                 std::span<const std::int64_t> item_counts)
    : histories_(histories) {
  double largest = 0.0;
  for (const std::int64_t count : item_counts)
    largest = std::max(largest, static_cast<double>(count));
  for (const std::int64_t count : item_counts) {
    popularity_.push_back(
        static_cast<float>((static_cast<double>(count) - largest - 1.0) / (largest + 1.0)));
  }
}

void HistoryBaseline::score(kernels::IdView users, kernels::Backend& backend,
                            kernels::FloatView scores) {
  const auto num_items = static_cast<std::int64_t>(popularity_.size());
  const std::int64_t num_users = users.size;
  tile_.resize(at(num_items * num_users));
#pragma omp parallel for schedule(static)
  for (std::int64_t item = 0; item < num_items; ++item)
    std::fill_n(tile_.data() + item * num_users, num_users, popularity_[at(item)]);
  graph::parallel_for(num_users, 8, [&](const graph::Share& columns) {
    std::vector<float> sums(at(num_items), 0.0F);
    std::vector<ItemScore> scored;
    for (const std::int64_t b : columns) {
      scored.clear();
      score_history(histories_.row(users[b]), sums, scored);
      for (const ItemScore& entry : scored) tile_[at(entry.item * num_users + b)] = entry.score;
    }
  });
  backend.copy(
      kernels::ConstFloatView(tile_.data(), num_items, num_users, num_users, kernels::Device::cpu),
      scores);
}

ItemKnn::ItemKnn(const graph::Csr& neighbours, Reads reads, const Histories& histories,
                 std::span<const std::int64_t> item_counts)
    : HistoryBaseline(histories, item_counts), neighbours_(neighbours), reads_(reads) {}

void ItemKnn::score_history(std::span<const NodeId> history, std::vector<float>& sums,
                            std::vector<ItemScore>& scored) const {
  if (history.empty()) return;
  std::vector<NodeId> items(history.begin(), history.end());
  if (reads_ == Reads::last_item) items = {history.back()};
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  for (const NodeId item : items) {
    for (auto e = neighbours_.offsets[at(item)]; e < neighbours_.offsets[at(item) + 1]; ++e) {
      const NodeId other = neighbours_.columns[at(e)];
      float& sum = sums[at(other)];
      if (sum == 0.0F) scored.push_back({other, 0.0F});
      sum += neighbours_.values[at(e)];
    }
  }
  for (ItemScore& entry : scored) entry.score = std::exchange(sums[at(entry.item)], 0.0F);
}

RepeatPurchase::RepeatPurchase(Order order, const Histories& histories,
                               std::span<const std::int64_t> item_counts)
    : HistoryBaseline(histories, item_counts), order_(order) {}

void RepeatPurchase::score_history(std::span<const NodeId> history, std::vector<float>& sums,
                                   std::vector<ItemScore>& scored) const {
  // From the latest event back: items come in the order of their last event.
  for (std::size_t event = history.size(); event-- > 0;) {
    float& count = sums[at(history[event])];
    if (count == 0.0F) scored.push_back({history[event], 0.0F});
    count += 1.0F;
  }
  if (order_ == Order::most_frequent) {
    std::stable_sort(scored.begin(), scored.end(), [&](const ItemScore& a, const ItemScore& b) {
      return sums[at(a.item)] > sums[at(b.item)];
    });
  }
  for (std::size_t place = 0; place < scored.size(); ++place) {
    scored[place].score = static_cast<float>(scored.size() - place);
    sums[at(scored[place].item)] = 0.0F;
  }
}

std::vector<Baseline> evaluate_baselines(const Dataset& dataset, const EvaluateOptions& options,
                                         kernels::Backend& backend, Progress& progress) {
  std::vector<Baseline> baselines;
  baselines.push_back({"popularity", evaluate_popularity(dataset, options, backend, progress)});
  const graph::TrainingPart known =
      options.part == HeldOut::test ? train_and_validation(dataset) : dataset.split.train;
  const Histories histories =
      make_histories(known, dataset, std::numeric_limits<std::int64_t>::max());
  const graph::Csr neighbours =
      item_neighbours(known, dataset.num_users(), dataset.num_items(), kNeighbours);
  const std::vector<std::int64_t>& counts = dataset.item_statistics.count;
  const RankingTask task = make_ranking_task(dataset, options.part, options.seen_items);
  const auto add = [&](const char* name, HistoryBaseline&& scorer) {
    progress.begin(fmt::format("{} baseline", name));
    baselines.push_back({name, evaluate_scorer(scorer, task, counts, options, backend, progress)});
    progress.end(fmt::format("{} users", baselines.back().report.num_users));
  };
  add("item_knn", ItemKnn(neighbours, ItemKnn::Reads::whole_history, histories, counts));
  add("last_item_knn", ItemKnn(neighbours, ItemKnn::Reads::last_item, histories, counts));
  add("repeat_frequent", RepeatPurchase(RepeatPurchase::Order::most_frequent, histories, counts));
  add("repeat_recent", RepeatPurchase(RepeatPurchase::Order::most_recent, histories, counts));
  return baselines;
}

}  // namespace penchant::pipeline
