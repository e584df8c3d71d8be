// SPDX-License-Identifier: Apache-2.0
// A trained model in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/model/interest.h"

namespace penchant::pipeline {

/// A trained model ready to score: final embeddings in the data set's dense ids. score(u, i) =
/// <users_u, items_i>.
struct TrainedModel {
  kernels::FloatMatrix users;  ///< [U x (D + R + P)]; the column of popularity, if any, holds ones
  kernels::FloatMatrix items;  ///< the same for all items of the catalogue; column of popularity:
                               ///< weight * log(1 + users of the item)
  std::int64_t new_item_columns = 0;  ///< R, behind the embedding: models/new_items.h
  bool popularity_column = false;     ///< P, the last column: 0 or 1
  std::int64_t embedding_dim() const {
    return items.cols() - new_item_columns - (popularity_column ? 1 : 0);
  }                             ///< D
  bool normalized = false;      ///< rows have length 1
  bool saw_validation = false;  ///< it was trained on train + validation
  std::string model_hash;       ///< of all that a score depends on
  std::string model_name;
  std::unique_ptr<models::Scorer> scorer;    ///< if there is one it gives the scores; the inner
                                             ///< products are what the vectors give alone
  std::unique_ptr<InterestScorer> interest;  ///< of an interest model: users by their histories,
                                             ///< probabilities of pairs
};

}  // namespace penchant::pipeline
