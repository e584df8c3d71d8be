// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/member_choice.h"

#include <utility>

#include "graph/error.h"
#include "models/blended_scorer.h"
#include "pipeline/choice/filter_blend.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/model/auto_model.h"

namespace penchant::pipeline {

using kernels::Backend;

namespace {

/// Of the size of the scores that another model's are added to.
constexpr double kMemberShares[] = {0.25, 0.5, 1.0, 2.0};

FinishedVectors sum_of(std::span<const VectorViews> trained, std::span<const ChosenMember> members,
                       Backend& backend) {
  std::vector<WeightedVectors> weighted;
  for (const ChosenMember& member : members)
    weighted.push_back({trained[member.number], member.weight});
  return joined(weighted, backend);
}

double size_of(const VectorViews& vectors, const RankingTask& task, Backend& backend) {
  models::BlendedScorer scorer(vectors.users, vectors.items, {});
  return score_size(scorer, task, backend);
}

}  // namespace

std::vector<ChosenMember> choose_members(std::span<const VectorViews> trained, const Judge& judge,
                                         double tolerance, Backend& backend,
                                         const MembersTried& on_tried) {
  PENCHANT_ASSERT(!trained.empty());
  if (trained.size() == 1) return {{0, 1.0}};
  const auto tried = [&](const std::vector<ChosenMember>& members) {
    const FinishedVectors sum = sum_of(trained, members, backend);
    const auto metrics = judge.metrics(sum.users.view(), sum.items.view());
    on_tried(members, metrics);
    return judgement(metrics, judge.metric());
  };
  std::vector<std::vector<ChosenMember>> sums;
  std::vector<Judgement> judgements;
  for (std::size_t number = 0; number < trained.size(); ++number) {
    sums.push_back({{number, 1.0}});
    judgements.push_back(tried(sums.back()));
  }
  std::size_t best = choose(judgements, 0.0);
  std::vector<ChosenMember> chosen = sums[best];
  Judgement value = judgements[best];
  for (std::size_t number = 0; number < trained.size(); ++number) {
    if (number == chosen.front().number) continue;
    const FinishedVectors sum = sum_of(trained, chosen, backend);
    const double own = size_of(trained[number], judge.task(), backend);
    if (!(own > 0.0)) continue;
    const double unit =
        size_of({sum.users.view(), sum.items.view(), sum.layout}, judge.task(), backend) / own /
        static_cast<double>(chosen.size());
    sums = {chosen};
    judgements = {value};
    for (const double share : kMemberShares) {
      sums.push_back(chosen);
      sums.back().push_back({number, share * unit});
      judgements.push_back(tried(sums.back()));
    }
    best = choose(judgements, tolerance);
    chosen = sums[best];
    value = judgements[best];
  }
  return chosen;
}

}  // namespace penchant::pipeline
