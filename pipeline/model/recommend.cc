// SPDX-License-Identifier: Apache-2.0
// Single lists of a model: the best items of one user or of a history, the nearest of one item.
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/model/list_checks.h"
#include "pipeline/model/lists.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

std::vector<ScoredItem> first_list(const ListBlock& block) {
  std::vector<ScoredItem> list;
  for (std::int64_t j = 0; j < block.items.cols && block.items(0, j) != graph::kNoNode; ++j)
    list.push_back({block.items(0, j), block.scores(0, j)});
  return list;
}

}  // namespace

void require_vectors(const Model& model, const char* verb) {
  if (model.layout().width() == 0) {
    throw InputError(
        fmt::format("{}: the model has no vectors; train it with filter.rank of at least 1", verb));
  }
}

std::vector<ScoredItem> Model::recommend(std::string_view raw_user, std::int64_t k,
                                         SeenItems seen_items, Ranking ranking,
                                         const ItemChoice& choice) const {
  const auto lists = user_lists(*this, {k, seen_items, ranking}, choice);
  const NodeId user = find_raw(dataset().users, raw_user, "user");
  return first_list(lists->make({&user, 1}));
}

std::vector<ScoredItem> Model::recommend_for_history(std::span<const std::string_view> raw_items,
                                                     std::int64_t k, SeenItems seen_items,
                                                     Ranking ranking,
                                                     const ItemChoice& choice) const {
  const Dataset& data = dataset();
  require_list_length(k, data.num_items(), "the catalogue has");
  if (raw_items.empty())
    throw InputError("--history is empty, expected raw item ids separated by commas");
  if (static_cast<std::int64_t>(raw_items.size()) > kLongestHistory) {
    throw InputError(fmt::format("--history has {} items, expected at most {}", raw_items.size(),
                                 kLongestHistory));
  }
  std::vector<NodeId> history;
  for (const std::string_view raw : raw_items) history.push_back(find_raw(data.items, raw, "item"));
  return recommend_for_events(history_of_items(history), k, seen_items, ranking, choice);
}

std::vector<ScoredItem> Model::recommend_for_events(const Histories& people, std::int64_t k,
                                                    SeenItems seen_items, Ranking ranking,
                                                    const ItemChoice& choice) const {
  PENCHANT_ASSERT(people.size() == 1 && people.length(0) > 0);
  const Dataset& data = dataset();
  require_list_length(k, data.num_items(), "the catalogue has");
  graph::Csr seen;
  if (leaves_out_seen(data, seen_items)) {
    std::vector<NodeId> items = people.items;
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    seen = {1, data.num_items(), {0, static_cast<graph::EdgeOffset>(items.size())}, items, {}};
  }
  const NodeId owner = graph::kNoNode;
  ListSelector selector(data.num_items(), k, choice, backend());
  if (ranking == Ranking::full && has_scorer()) {
    const kernels::FloatMatrix scores = history_scores(people);
    require_finite_scores(*this, scores.view());
    return first_list(selector.by_scores(scores.view(), seen.view(), {&owner, 1}));
  }
  require_vectors(*this, "recommend --history --ranking vectors");
  const kernels::FloatMatrix query = history_vectors(people);
  return first_list(selector.by_vectors(query.view(), items(), seen.view(), {&owner, 1}));
}

std::vector<ScoredItem> Model::similar(std::string_view raw_item, std::int64_t k,
                                       const ItemChoice& choice) const {
  const auto lists = similar_lists(*this, k, choice);
  const NodeId item = find_raw(dataset().items, raw_item, "item");
  return first_list(lists->make({&item, 1}));
}

}  // namespace penchant::pipeline
