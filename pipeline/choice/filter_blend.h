// SPDX-License-Identifier: Apache-2.0
// Choosing a linear filter, and its weight beside trained vectors, by a validation metric.
#pragma once

#include "pipeline/choice/judge.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// Root mean square of a scorer's scores for the first users of `task`.
double score_size(models::Scorer& scorer, const RankingTask& task, kernels::Backend& backend);

/// Tries powers of the degrees for the filter alone, then weights of the best one beside the
/// vectors [U x D], [I x D]. `graph` must be what the vectors were trained on. `tolerance`:
/// pipeline/choice/validation_choice.h.
FilterBlend choose_filter_blend(const graph::UserItemGraph& graph, kernels::ConstFloatView users,
                                kernels::ConstFloatView items, const Judge& judge, double tolerance,
                                kernels::Backend& backend);

}  // namespace penchant::pipeline
