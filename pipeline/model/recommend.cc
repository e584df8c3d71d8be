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

std::vector<ScoredItem> list_of(const ListBlock& block, std::int64_t owner, std::int64_t k) {
  std::vector<ScoredItem> list;
  for (std::int64_t j = 0; j < std::min(k, block.items.cols); ++j) {
    if (block.items(owner, j) == graph::kNoNode) break;
    list.push_back({block.items(owner, j), block.scores(owner, j)});
  }
  return list;
}

graph::Csr seen_of_people(const Dataset& dataset, const Histories& people, SeenItems seen_items) {
  graph::Csr seen;
  if (!leaves_out_seen(dataset, seen_items)) return seen;
  seen = {people.size(), dataset.num_items(), {0}, {}, {}};
  for (std::int64_t person = 0; person < people.size(); ++person) {
    std::vector<NodeId> items(people.row(person).begin(), people.row(person).end());
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    seen.columns.insert(seen.columns.end(), items.begin(), items.end());
    seen.offsets.push_back(static_cast<graph::EdgeOffset>(seen.columns.size()));
  }
  return seen;
}

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
  return list_of(lists->make({&user, 1}), 0, k);
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
  return recommend_for_people(history_of_items(history), k, seen_items, ranking, choice).front();
}

std::vector<std::vector<ScoredItem>> Model::recommend_for_people(const Histories& people,
                                                                 std::int64_t k,
                                                                 SeenItems seen_items,
                                                                 Ranking ranking,
                                                                 const ItemChoice& choice) const {
  const Dataset& data = dataset();
  require_list_length(k, data.num_items(), "the catalogue has");
  const graph::Csr seen = seen_of_people(data, people, seen_items);
  const std::vector<NodeId> owners(graph::at(people.size()), graph::kNoNode);
  ListSelector selector(data.num_items(), k, choice, backend());
  std::vector<std::vector<ScoredItem>> lists;
  const auto take = [&](const ListBlock& block) {
    for (std::int64_t person = 0; person < people.size(); ++person)
      lists.push_back(list_of(block, person, k));
  };
  if (ranking == Ranking::full && has_scorer()) {
    // One is asked for twice over (docs/decisions/0042-a-list-alone-and-among-others.md).
    const NodeId twice[] = {0, 0};
    const kernels::FloatMatrix scores =
        history_scores_one_by_one(people.size() == 1 ? select_histories(people, twice) : people);
    require_finite_scores(*this, scores.view());
    take(selector.by_scores(scores.view().cols_of(0, people.size()), seen.view(), owners));
    return lists;
  }
  require_vectors(*this, "recommend --history --ranking vectors");
  const kernels::FloatMatrix queries = history_vectors_one_by_one(people);
  take(selector.by_vectors(queries.view(), items(), seen.view(), owners));
  return lists;
}

std::vector<ScoredItem> Model::similar_users(std::string_view raw_user, std::int64_t k) const {
  const auto lists = similar_user_lists(*this, k);
  const NodeId user = find_raw(dataset().users, raw_user, "user");
  return list_of(lists->make({&user, 1}), 0, k);
}

std::vector<ScoredItem> Model::similar(std::string_view raw_item, std::int64_t k,
                                       const ItemChoice& choice) const {
  const auto lists = similar_lists(*this, k, choice);
  const NodeId item = find_raw(dataset().items, raw_item, "item");
  return list_of(lists->make({&item, 1}), 0, k);
}

}  // namespace penchant::pipeline
