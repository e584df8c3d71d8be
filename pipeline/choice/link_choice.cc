// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/link_choice.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "graph/degrees.h"
#include "graph/user_links.h"
#include "models/linear_filter.h"
#include "models/link_scorer.h"
#include "pipeline/choice/filter_blend.h"

namespace penchant::pipeline {

using graph::at;
using graph::Csr;
using graph::CsrView;
using graph::NodeId;
using kernels::Backend;

namespace {

/// Validation users that are asked.
constexpr std::int64_t kLinkUsers = 4096;
constexpr float kRelationWeights[] = {0.05F, 0.1F, 0.2F, 0.4F, 0.8F, 1.6F};
/// A smaller gain of a few thousand users is noise: links that say nothing are left out.
constexpr double kLeastGain = 0.005;
/// Of the term's size beside that of the scores beside it.
constexpr double kShares[] = {0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0};

/// A linear filter of users' rows with their friends' added, as choose_link_weights has them.
class WithFriends final : public models::Scorer {
 public:
  WithFriends(models::LinearFilter& filter, const Csr& user_items, const models::LinkScorer& links)
      : filter_(filter),
        user_items_(user_items),
        links_(links),
        scale_(graph::inverse_roots(graph::row_sums(user_items.view()))) {}

  void score(kernels::IdView users, Backend& backend, kernels::FloatView scores) override {
    const Csr rows = rows_of(users);
    models::People people{};
    people.rows = rows.view();
    filter_.score_people(people, backend, scores);
  }

 private:
  Csr rows_of(kernels::IdView users) const {
    const CsrView own = user_items_.view();
    std::vector<graph::Entry> entries;
    for (std::int64_t row = 0; row < users.size; ++row) {
      const NodeId user = users.data[row];
      for (graph::EdgeOffset e = own.offsets[at(user)]; e < own.offsets[at(user) + 1]; ++e)
        entries.push_back(
            {static_cast<NodeId>(row), own.columns[at(e)], scale_[at(user)] * own.value(e)});
    }
    const Csr friends = links_.rows_of(users);
    for (std::int64_t row = 0; row < users.size; ++row) {
      for (graph::EdgeOffset e = friends.offsets[at(row)]; e < friends.offsets[at(row) + 1]; ++e)
        entries.push_back(
            {static_cast<NodeId>(row), friends.columns[at(e)], friends.values[at(e)]});
    }
    return graph::csr_from_entries(users.size, own.num_cols, entries);
  }

  models::LinearFilter& filter_;
  const Csr& user_items_;
  const models::LinkScorer& links_;
  std::vector<float> scale_;  ///< [U] d_u^-1/2
};

}  // namespace

std::map<std::string, float> choose_link_weights(const Dataset& dataset, const Graphs& graphs,
                                                 const std::string& metric, Backend& backend) {
  const RankingTask task =
      sample_task(make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic), kLinkUsers,
                  kJudgesSeed);
  const Judge judge(task, dataset.item_statistics.count, metric, backend);
  models::LinearFilter filter(graphs.user_item, {}, backend);
  const Csr& user_items = graphs.user_item.user_items;
  std::vector<float> weights(dataset.links.size(), 0.0F);
  const auto value = [&] {
    const models::LinkScorer links(graph::joined_links(dataset.links, weights, dataset.num_users()),
                                   user_items);
    WithFriends scorer(filter, user_items, links);
    return judge(scorer).value;
  };
  double best = value();  // nobody's friends count
  std::map<std::string, float> chosen;
  for (std::size_t r = 0; r < weights.size(); ++r) {
    float kept = 0.0F;
    double least = (1.0 + kLeastGain) * best;
    for (const float weight : kRelationWeights) {
      weights[r] = weight;
      const double with = value();
      if (with <= least) continue;
      std::tie(kept, best, least) = std::tuple(weight, with, with);
    }
    weights[r] = kept;
    chosen[dataset.links[r].name] = kept;
  }
  return chosen;
}

LinkBlend choose_link_blend(const MakeScorer& make, const std::shared_ptr<models::Scorer>& links,
                            const Judge& judge, Backend& backend) {
  const std::unique_ptr<models::Scorer> plain = make({});
  const double size = score_size(*links, judge.task(), backend);
  if (!(size > 0.0)) return {};
  const double unit = score_size(*plain, judge.task(), backend) / size;
  LinkBlend best;
  double best_value = judge(*plain).value;
  for (const double share : kShares) {
    const auto weight = static_cast<float>(share * unit);
    const double value = judge(*make({{links, weight}})).value;
    if (value <= best_value) continue;
    best_value = value;
    best.weight = weight;
  }
  return best;
}

}  // namespace penchant::pipeline
