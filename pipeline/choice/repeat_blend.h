// SPDX-License-Identifier: Apache-2.0
// Choosing how what users did before (pipeline/model/score_terms.h) counts, by a validation metric.
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
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

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
