// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/judge.h"

namespace penchant::pipeline {

using kernels::ConstFloatView;

std::map<std::string, double> Judge::metrics(models::Scorer& scorer) const {
  return evaluate_scorer(scorer, task_, item_counts_, validation_options(metric_), backend_,
                         progress_)
      .metrics;
}

std::map<std::string, double> Judge::metrics(ConstFloatView users, ConstFloatView items) const {
  return evaluate_vectors(users, items, task_, item_counts_, validation_options(metric_), backend_,
                          progress_)
      .metrics;
}

}  // namespace penchant::pipeline
