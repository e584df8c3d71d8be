// SPDX-License-Identifier: Apache-2.0
// What a user did with an item before, as a score of its own: where people buy the same things
// again, counting that is hard to beat by vectors alone (docs/decisions/0022-repeats.md).
//   s_ui = (sum over u's events e with item i of decay^(number of u's events after e))^power
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/user_item_graph.h"
#include "models/blended_scorer.h"
#include "pipeline/choice/filter_blend.h"
#include "pipeline/data/histories.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

struct RepeatBlend {
  float decay = 1.0F;   ///< in (0, 1]; 1 counts events
  float power = 1.0F;   ///< above 0
  float weight = 0.0F;  ///< in the scores; 0: without
};

/// The s_ui above [histories x I], with values.
graph::Csr repeat_scores(const Histories& histories, std::int64_t num_items, float decay,
                         float power);

/// What is added to the vectors' scores: the filter and the repeats that have a weight.
/// `histories` are those of all users.
std::vector<models::WeightedScorer> blended_terms(const graph::UserItemGraph& graph,
                                                  const Histories& histories,
                                                  const FilterBlend& filter,
                                                  const RepeatBlend& repeats,
                                                  kernels::Backend& backend);

/// Makes the scorer that repeats may stand beside, with these further terms.
using MakeScorer = std::function<std::unique_ptr<models::Scorer>(
    const std::vector<models::WeightedScorer>& further)>;

/// Rankings of all users of a task that choose_repeat_blend takes.
inline constexpr int kRepeatTrials = 49;

/// Tries decays, powers and weights of the repeats beside what `make` makes, for the users of
/// `task`. Of `metric` larger is better. `histories` are those of all users.
RepeatBlend choose_repeat_blend(const MakeScorer& make, const Histories& histories,
                                const RankingTask& task, std::span<const std::int64_t> item_counts,
                                const std::string& metric, kernels::Backend& backend);

}  // namespace penchant::pipeline
