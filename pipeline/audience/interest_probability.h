// SPDX-License-Identifier: Apache-2.0
// How likely each user is to do anything with a set of items in a period as long as the validation
// part: one logistic regression on propensity_features.h, learned from many sets at the cut before
// the validation part and asked at the cut behind it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/artifact/progress.h"
#include "pipeline/audience/item_sets.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// What a regression was learned from, and what it made of it.
struct RegressionFacts {
  std::int64_t sets = 0;  ///< interest: item sets; look-alike: folds of the seed
  std::int64_t examples = 0;
  std::int64_t positives = 0;
  std::vector<std::pair<std::string, double>> weights;  ///< of the standardised features
};

struct Probabilities {
  std::vector<float> of_users;      ///< [U]
  std::vector<std::uint8_t> known;  ///< [U] has the items, or is in the seed
  RegressionFacts facts;
  double period_days = 0.0;  ///< that is asked about; 0: times say nothing
};

/// Whether those who have an item of the set are asked about too.
enum class KnownPeople { leave_out, keep };

/// Of behaviour alone: a model that was refitted on the validation part holds in its vectors what the
/// labels are, and measured worse with them (docs/audience.md). Throws InputError: no validation
/// part, too little first interest in it to learn from.
Probabilities interest_probabilities(const Dataset& dataset, const ItemSet& set, KnownPeople known,
                                     Progress& progress);

/// How likely each user is to be in the seed, of which each kind is at least one. A user's features
/// come from a fold that does not have them (cross-fitting), so that those of the seed and of others
/// mean the same.
Probabilities seed_probabilities(const Model& model, const std::vector<graph::NodeId>& seed,
                                 Progress& progress);

}  // namespace penchant::pipeline
