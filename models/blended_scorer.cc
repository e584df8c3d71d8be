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

/// The sum of the terms, whose scores `ask(scorer, table)` writes, into `scores`: these are yet to
/// be taken times what is returned, 0 if there is no term.
template <typename Ask>
float add_terms(const std::vector<WeightedScorer>& terms, kernels::Backend& backend,
                kernels::FloatView scores, Ask ask) {
  float weight = 0.0F;
  kernels::FloatMatrix tile;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    if (k == 0) {
      ask(*terms[k].scorer, scores);
      weight = terms[k].weight;
      continue;
    }
    if (k == 1) tile = backend.matrix<float>(scores.rows, scores.cols);
    ask(*terms[k].scorer, tile.view());
    backend.axpby(terms[k].weight, tile.view(), std::exchange(weight, 1.0F), scores);
  }
  return weight;
}

void multiply(float weight, kernels::Backend& backend, kernels::FloatView scores) {
  if (weight != 1.0F) backend.axpby(weight, scores, 0.0F, scores);
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
  const float weight = add_terms(
      others_, backend, scores,
      [&](Scorer& scorer, kernels::FloatView table) { scorer.score(users, backend, table); });
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, items_, queries.view(),
               weight, scores);
}

void BlendedScorer::score_people(const People& people, kernels::Backend& backend,
                                 kernels::FloatView scores) {
  // Columns that these scores go without are the last.
  if (people.vectors.rows != people.rows.num_rows || people.vectors.cols < items_.cols) {
    throw InputError(fmt::format("scores of people: vectors are [{} x {}], expected [{} x {}]",
                                 people.vectors.rows, people.vectors.cols, people.rows.num_rows,
                                 items_.cols));
  }
  const float weight =
      add_terms(others_, backend, scores, [&](Scorer& scorer, kernels::FloatView table) {
        scorer.score_people(people, backend, table);
      });
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, items_,
               people.vectors.cols_of(0, items_.cols), weight, scores);
}

ScorerSum::ScorerSum(std::vector<WeightedScorer> terms) : terms_(std::move(terms)) {
  PENCHANT_ASSERT(!terms_.empty());
  require_finite(terms_);
}

void ScorerSum::score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) {
  multiply(add_terms(terms_, backend, scores,
                     [&](Scorer& scorer, kernels::FloatView table) {
                       scorer.score(users, backend, table);
                     }),
           backend, scores);
}

void ScorerSum::score_people(const People& people, kernels::Backend& backend,
                             kernels::FloatView scores) {
  multiply(add_terms(terms_, backend, scores,
                     [&](Scorer& scorer, kernels::FloatView table) {
                       scorer.score_people(people, backend, table);
                     }),
           backend, scores);
}

}  // namespace penchant::models
