// SPDX-License-Identifier: Apache-2.0
#include "models/blended_scorer.h"

#include <cmath>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::models {

namespace {

void require_finite(const std::vector<WeightedScorer>& terms) {
  for (const WeightedScorer& term : terms) {
    if (!std::isfinite(term.weight))
      throw InputError(fmt::format("a score's weight is {}, expected a number", term.weight));
  }
}

}  // namespace

BlendedScorer::BlendedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
                             std::vector<WeightedScorer> others)
    : users_(users), items_(items), others_(std::move(others)) {
  require_finite(others_);
}

void BlendedScorer::score(kernels::IdView users, kernels::Backend& backend,
                          kernels::FloatView scores) {
  kernels::FloatMatrix queries = backend.matrix<float>(users.size, users_.cols);
  kernels::Upload<graph::NodeId> upload;
  backend.gather_rows(users_, upload(users, backend), queries.view());
  // The first of the others is written in place and weighed by what comes next.
  float weight = 0.0F;
  kernels::FloatMatrix tile;
  for (std::size_t k = 0; k < others_.size(); ++k) {
    if (k == 0) {
      others_[k].scorer->score(users, backend, scores);
      weight = others_[k].weight;
      continue;
    }
    if (k == 1) tile = backend.matrix<float>(scores.rows, scores.cols);
    others_[k].scorer->score(users, backend, tile.view());
    backend.axpby(others_[k].weight, tile.view(), std::exchange(weight, 1.0F), scores);
  }
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, items_, queries.view(),
               weight, scores);
}

ScorerSum::ScorerSum(std::vector<WeightedScorer> terms) : terms_(std::move(terms)) {
  PENCHANT_ASSERT(!terms_.empty());
  require_finite(terms_);
}

void ScorerSum::score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) {
  terms_[0].scorer->score(users, backend, scores);
  float weight = terms_[0].weight;
  kernels::FloatMatrix tile;
  for (std::size_t k = 1; k < terms_.size(); ++k) {
    if (k == 1) tile = backend.matrix<float>(scores.rows, scores.cols);
    terms_[k].scorer->score(users, backend, tile.view());
    backend.axpby(terms_[k].weight, tile.view(), std::exchange(weight, 1.0F), scores);
  }
  if (weight != 1.0F) backend.axpby(weight, scores, 0.0F, scores);
}

}  // namespace penchant::models
