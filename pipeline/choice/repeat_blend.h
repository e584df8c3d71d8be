// SPDX-License-Identifier: Apache-2.0
// Choosing how what users did before (pipeline/model/score_terms.h) counts, by a validation metric.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/blended_scorer.h"
#include "pipeline/choice/judge.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// Makes the scorer that repeats may stand beside, with these further terms.
using MakeScorer = std::function<std::unique_ptr<models::Scorer>(
    const std::vector<models::WeightedScorer>& further)>;

/// Rankings of all users of a task that choose_repeat_blend takes.
inline constexpr int kRepeatTrials = 49;

/// Tries decays, powers and weights of the repeats beside what `make` makes. `histories` are those
/// of all users.
RepeatBlend choose_repeat_blend(const MakeScorer& make, const Histories& histories,
                                const Judge& judge, kernels::Backend& backend);

}  // namespace penchant::pipeline
