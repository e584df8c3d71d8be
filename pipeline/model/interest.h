// SPDX-License-Identifier: Apache-2.0
// What a fused interest model offers beyond the vectors of known users and items: vectors of users
// from what they did, and probabilities of interest.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/matrix.h"
#include "pipeline/data/histories.h"

namespace penchant::pipeline {

/// What pair_scores are.
enum class PairScore { none, probability, rating };

/// Histories may be of any length: a model reads the last events, as many as it was trained with.
class InterestScorer {
 public:
  virtual ~InterestScorer() = default;
  /// Vectors of users given by their histories, for inner products with the items' of the model that
  /// it is; an empty history gets a defined vector.
  virtual kernels::FloatMatrix user_vectors(const Histories& histories,
                                            kernels::Backend& backend) = 0;
  virtual PairScore pair_score() const = 0;
  /// P(interest | user, item) or the expected rating of pairs: history_rows[p] is a row of the
  /// histories, items[p] an item. Throws InputError if the model has neither.
  virtual std::vector<float> pair_scores(const Histories& histories,
                                         std::span<const graph::NodeId> history_rows,
                                         std::span<const graph::NodeId> items,
                                         kernels::Backend& backend) = 0;
};

}  // namespace penchant::pipeline
