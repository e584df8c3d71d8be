// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/filter_blend.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "models/blended_scorer.h"

namespace penchant::pipeline {

using kernels::Backend;
using kernels::ConstFloatView;
using models::BlendedScorer;
using models::LinearFilter;

namespace {

constexpr std::size_t kUsersForSize = 256;

}  // namespace

double score_size(models::Scorer& scorer, const RankingTask& task, Backend& backend) {
  const auto count =
      static_cast<std::int64_t>(std::min<std::size_t>(task.users.size(), kUsersForSize));
  kernels::FloatMatrix scores = backend.matrix<float>(task.targets.num_cols, count);
  scorer.score({task.users.data(), count, kernels::Device::cpu}, backend, scores.view());
  kernels::Vector<float> squares = backend.vector<float>(scores.rows());
  backend.add_row_dots(scores.view(), scores.view(), squares.view());
  std::vector<float> host(static_cast<std::size_t>(scores.rows()));
  backend.copy(kernels::VectorView<const float>(squares.view()),
               {host.data(), scores.rows(), kernels::Device::cpu});
  backend.sync();
  double sum = 0.0;
  for (const float square : host) sum += static_cast<double>(square);
  return std::sqrt(sum / static_cast<double>(scores.rows() * count));
}

FilterBlend choose_filter_blend(const graph::UserItemGraph& graph, ConstFloatView users,
                                ConstFloatView items, const Judge& judge, double tolerance,
                                Backend& backend) {
  std::vector<FilterBlend> blends;
  std::vector<Judgement> judgements;
  for (const float user_power : {0.5F, 0.7F, 1.0F}) {
    for (const float item_power : {0.2F, 0.35F, 0.5F}) {
      const models::LinearFilterOptions powers{1.0F - item_power, user_power, item_power};
      LinearFilter filter(graph, powers, backend);
      blends.push_back({powers, 0.0F});
      judgements.push_back(judge(filter));
    }
  }
  const FilterBlend alone = blends[choose(judgements, tolerance)];
  const auto filter = std::make_shared<LinearFilter>(graph, alone.options, backend);
  BlendedScorer vectors(users, items, {});
  const double filter_size = score_size(*filter, judge.task(), backend);
  if (!(filter_size > 0.0)) return alone;
  const double unit = score_size(vectors, judge.task(), backend) / filter_size;
  blends = {alone};
  judgements = {judge(vectors)};
  for (const double share : {0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0}) {
    const auto weight = static_cast<float>(share * unit);
    BlendedScorer blend(users, items, {{filter, weight}});
    blends.push_back({alone.options, weight});
    judgements.push_back(judge(blend));
  }
  return blends[choose(judgements, tolerance)];
}

}  // namespace penchant::pipeline
