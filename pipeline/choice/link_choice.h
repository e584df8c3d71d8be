// SPDX-License-Identifier: Apache-2.0
// What links between users are worth, by the validation part: the weight of each kind in propagation,
// and of what those had whom a user is linked to as a term of the scores.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "pipeline/choice/judge.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// The weight of each kind of links, 0 where validation likes it best: what propagation over them
/// does is judged without training, by a linear filter (models/linear_filter.h) of users' rows to
/// which those of their friends are added,
///   x_u = d_u^-1/2 r_u + sum_r w_r sum_v a_uv d_v^-1/2 r_v,
/// a_uv normalised within its kind as in propagation. One kind after another, in the order of the
/// data set; a gain of less than .5 % is none.
std::map<std::string, float> choose_link_weights(const Dataset& dataset, const Graphs& graphs,
                                                 const std::string& metric,
                                                 kernels::Backend& backend);

/// The weight of `links` beside what `make` makes, 0 where that is best.
LinkBlend choose_link_blend(const MakeScorer& make, const std::shared_ptr<models::Scorer>& links,
                            const Judge& judge, kernels::Backend& backend);

}  // namespace penchant::pipeline
