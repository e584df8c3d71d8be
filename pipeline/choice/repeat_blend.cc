// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/repeat_blend.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <vector>

#include "models/sparse_scorer.h"
#include "pipeline/choice/filter_blend.h"

namespace penchant::pipeline {

using kernels::Backend;
using models::WeightedScorer;

namespace {

constexpr float kDecays[] = {1.0F, 0.98F, 0.9F};
constexpr float kPowers[] = {0.5F, 1.0F};
/// Of the size of the scores beside them.
constexpr double kRepeatShares[] = {0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0};
static_assert(kRepeatTrials ==
              1 + std::size(kDecays) * std::size(kPowers) * std::size(kRepeatShares));

}  // namespace

RepeatBlend choose_repeat_blend(const MakeScorer& make, const Histories& histories,
                                const Judge& judge, Backend& backend) {
  const RankingTask& task = judge.task();
  const std::unique_ptr<models::Scorer> plain = make({});
  const double plain_size = score_size(*plain, task, backend);
  RepeatBlend best;
  double best_value = judge(*plain).value;
  for (const float decay : kDecays) {
    for (const float power : kPowers) {
      const auto repeats = std::make_shared<models::SparseScorer>(
          repeat_scores(histories, task.targets.num_cols, decay, power));
      const double size = score_size(*repeats, task, backend);
      if (!(size > 0.0)) continue;
      for (const double share : kRepeatShares) {
        const auto weight = static_cast<float>(share * plain_size / size);
        const double value = judge(*make({{repeats, weight}})).value;
        if (value <= best_value) continue;
        best_value = value;
        best = {decay, power, weight};
      }
    }
  }
  return best;
}

}  // namespace penchant::pipeline
