// SPDX-License-Identifier: Apache-2.0
#include "models/blended_scorer.h"

#include <cmath>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::models {

BlendedScorer::BlendedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
                             std::shared_ptr<Scorer> filter, float filter_weight)
    : users_(users), items_(items), filter_(std::move(filter)), filter_weight_(filter_weight) {
  if (!std::isfinite(filter_weight))
    throw InputError(fmt::format("the weight of a filter is {}, expected a number", filter_weight));
}

void BlendedScorer::score(kernels::IdView users, kernels::Backend& backend,
                          kernels::FloatView scores) {
  kernels::FloatMatrix queries = backend.matrix<float>(users.size, users_.cols);
  kernels::Upload<graph::NodeId> upload;
  backend.gather_rows(users_, upload(users, backend), queries.view());
  filter_->score(users, backend, scores);
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, items_, queries.view(),
               filter_weight_, scores);
}

}  // namespace penchant::models
