// SPDX-License-Identifier: Apache-2.0
// The weights of a filter and of popularity beside trained vectors (pipeline/model/auto_model.h),
// by validation: hill climbing over a grid, then the most popular of what is nearly as good.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "pipeline/choice/judge.h"
#include "pipeline/choice/score_table.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

struct MixtureChoice {
  Mixture mixture;
  double value = 0.0;         ///< of the metric
  double filter_alone = 0.0;  ///< likewise
  std::int64_t tried = 0;
};

/// Hears of each mixture that is tried: how many there were with it, and its metrics.
using MixtureTried = std::function<void(std::int64_t number, const Mixture& mixture,
                                        const std::map<std::string, double>& metrics)>;

/// `vectors` are of the users and items of `graph`. `filter` holds the filter's scores of the judge's users; a step of the grid along popularity is
/// a share of `popularity_unit`, what a unit of log probability is in scores.
MixtureChoice choose_mixture(const VectorViews& vectors, const graph::UserItemGraph& graph,
                             const std::shared_ptr<ScoreTable>& filter, double popularity_unit,
                             const Judge& judge, double tolerance, kernels::Backend& backend,
                             const MixtureTried& on_tried);

/// For people.
std::string describe(const Mixture& mixture);

}  // namespace penchant::pipeline
