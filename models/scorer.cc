// SPDX-License-Identifier: Apache-2.0
#include "models/scorer.h"

#include "graph/error.h"

namespace penchant::models {

void Scorer::score_people(const People&, kernels::Backend&, kernels::FloatView) {
  throw InputError("these scores are known of users of the data set only");
}

}  // namespace penchant::models
