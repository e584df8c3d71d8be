// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/score_terms.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "graph/error.h"
#include "graph/user_links.h"

namespace penchant::pipeline {

using kernels::Backend;
using models::WeightedScorer;

graph::Csr repeat_scores(const Histories& histories, std::int64_t num_items, float decay,
                         float power) {
  if (!(decay > 0.0F && decay <= 1.0F && power > 0.0F))
    throw InputError("repeat scores: expected a decay in (0, 1] and a power above 0");
  graph::Csr scores;
  scores.num_rows = histories.size();
  scores.num_cols = num_items;
  std::vector<double> sums(static_cast<std::size_t>(num_items), 0.0);
  std::vector<graph::NodeId> touched;
  for (std::int64_t row = 0; row < histories.size(); ++row) {
    const std::span<const graph::NodeId> items = histories.row(row);
    double share = 1.0;
    for (std::size_t event = items.size(); event-- > 0; share *= static_cast<double>(decay)) {
      double& sum = sums[static_cast<std::size_t>(items[event])];
      if (sum == 0.0) touched.push_back(items[event]);
      sum += std::max(share, 1e-30);  // the oldest of a long history still count
    }
    std::sort(touched.begin(), touched.end());
    for (const graph::NodeId item : touched) {
      double& sum = sums[static_cast<std::size_t>(item)];
      scores.columns.push_back(item);
      scores.values.push_back(static_cast<float>(std::pow(sum, static_cast<double>(power))));
      sum = 0.0;
    }
    touched.clear();
    scores.offsets.push_back(static_cast<graph::EdgeOffset>(scores.columns.size()));
  }
  return scores;
}

RepeatScorer::RepeatScorer(const Histories& histories, std::int64_t num_items, float decay,
                           float power)
    : known_(repeat_scores(histories, num_items, decay, power)),
      num_items_(num_items),
      decay_(decay),
      power_(power) {}

void RepeatScorer::score(kernels::IdView users, Backend& backend, kernels::FloatView scores) {
  known_.score(users, backend, scores);
}

void RepeatScorer::score_people(const models::People& people, Backend& backend,
                                kernels::FloatView scores) {
  Histories events;
  events.offsets.assign(people.event_offsets.begin(), people.event_offsets.end());
  events.items.assign(people.event_items.begin(), people.event_items.end());
  models::write_columns(repeat_scores(events, num_items_, decay_, power_).view(), backend, scores);
}

std::shared_ptr<models::LinkScorer> link_scorer(const Dataset& dataset, const GraphOptions& options,
                                                const graph::UserItemGraph& graph) {
  const std::vector<graph::UserLinks> links = read_user_links(dataset);
  std::vector<float> weights;
  for (const graph::UserLinks& kind : links) weights.push_back(options.weight_of_links(kind.name));
  if (std::all_of(weights.begin(), weights.end(), [](float weight) { return weight == 0.0F; }))
    return nullptr;
  return std::make_shared<models::LinkScorer>(graph::joined_links(links, weights, graph.num_users),
                                              graph.user_items);
}

std::vector<WeightedScorer> link_terms(const LinkBlend& blend, const Dataset& dataset,
                                       const GraphOptions& options,
                                       const graph::UserItemGraph& graph) {
  if (blend.weight == 0.0F) return {};
  std::shared_ptr<models::LinkScorer> scorer = link_scorer(dataset, options, graph);
  if (scorer == nullptr) return {};
  return {{std::move(scorer), blend.weight}};
}

std::vector<WeightedScorer> blended_terms(const graph::UserItemGraph& graph,
                                          const Histories& histories, const FilterBlend& filter,
                                          const RepeatBlend& repeats, Backend& backend) {
  std::vector<WeightedScorer> terms;
  if (filter.weight != 0.0F) {
    terms.push_back(
        {std::make_shared<models::LinearFilter>(graph, filter.options, backend), filter.weight});
  }
  if (repeats.weight != 0.0F) {
    terms.push_back(
        {std::make_shared<RepeatScorer>(histories, graph.num_items, repeats.decay, repeats.power),
         repeats.weight});
  }
  return terms;
}

}  // namespace penchant::pipeline
