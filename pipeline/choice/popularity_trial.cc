// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/popularity_trial.h"

#include "pipeline/model/finished_vectors.h"

namespace penchant::pipeline {

using kernels::Backend;
using kernels::FloatMatrix;

PopularityTrial::PopularityTrial(const graph::UserItemGraph& graph, const FloatMatrix& users,
                                 const FloatMatrix& items, Backend& backend)
    : graph_(graph),
      backend_(backend),
      users_(widened(users, backend)),
      items_(widened(items, backend)) {
  backend.fill(users_.view().cols_of(users.cols(), 1), 1.0F);
}

void PopularityTrial::set_weight(double weight) {
  if (weight != 0.0 && weight != weight_) set_popularity(graph_, weight, backend_, items_);
  weight_ = weight;
}

}  // namespace penchant::pipeline
