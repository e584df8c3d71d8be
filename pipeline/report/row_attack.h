// SPDX-License-Identifier: Apache-2.0
// What item vectors tell of single rows: an attack that anybody can make who has the vectors and knows
// some of a person's items.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "pipeline/model/model.h"

namespace penchant::pipeline {

struct RowAttack {
  std::int64_t num_people =
      0;                   ///< whose rows were guessed at, half of them to choose the threshold
  double advantage = 0.0;  ///< true minus false positive rate, in [-1, 1]; 0: no better than chance
};

/// Guesses of one training and one test item of a user, which is not among the user's other items,
/// whether it is of training, by its inner product with the sum of the vectors of the user's other
/// training items. The threshold is the best on half of at most `most_people` users drawn at random;
/// the advantage is that on the other half. None where fewer than 40 users have both, or a model has
/// no vectors. Where test rows are later ones, taste and fashion tell some apart as well: a model
/// that knows no rows is not at 0 then.
std::optional<RowAttack> attack_rows(const Model& model, std::int64_t most_people = 4000);

/// The threshold is chosen and judged as above: `inside` and `outside` are scores of guesses that
/// should be yes and no, in pairs of one person.
double advantage_of(std::span<const double> inside, std::span<const double> outside);

}  // namespace penchant::pipeline
