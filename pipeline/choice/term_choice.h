// SPDX-License-Identifier: Apache-2.0
// What stands beside trained vectors in a model's scores, chosen on the validation part: first the
// weight of popularity, then a filter, then what those had whom a user is linked to, then what users
// did before.
#pragma once

#include <string>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// Which terms are tried, and how they are judged.
struct TermOptions {
  bool popularity = true;
  bool filter = true;
  bool repeats = true;
  bool links = false;
  std::string metric;
  double popularity_unit = 1.0;  ///< what one unit of log probability is in scores
};

struct ChosenTerms {
  double value = 0.0;    ///< of the metric for all users of the task
  double vectors = 0.0;  ///< likewise, of the vectors with popularity alone
  double popularity_weight = 0.0;
  FilterBlend filter;
  RepeatBlend repeats;
  LinkBlend links;
};

/// For vectors [U x D] and [I x D] that were trained on these graphs; `value` is what the metric says of
/// them alone.
ChosenTerms choose_terms(const Dataset& dataset, const Graphs& graphs, kernels::FloatMatrix users,
                         kernels::FloatMatrix items, double value, const RankingTask& task,
                         const TermOptions& options, kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
