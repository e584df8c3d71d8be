// SPDX-License-Identifier: Apache-2.0
// The pairs that a ranking head is judged by: each user's next item and one item that the user does
// not have. Metrics: pair_metrics.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/evaluation/pair_metrics.h"
#include "pipeline/model/interest.h"

namespace penchant::pipeline {

/// Pairs 2 j and 2 j + 1 belong to one user: the first held-out item that the user does not have
/// yet (label 1), then an item drawn from all others of the catalogue, evenly (label 0). Others: in
/// no earlier part and not in this held-out part. The draw depends on user and data only, so that
/// every model is asked about the same pairs. Users without such items have no pairs.
struct PairTask {
  std::vector<graph::NodeId> users;
  std::vector<graph::NodeId> items;
  std::vector<std::uint8_t> labels;

  LabeledPairs labeled() const { return {users, labels}; }
  std::int64_t size() const { return static_cast<std::int64_t>(users.size()); }
};
PairTask make_pair_task(const Dataset& dataset, HeldOut part);

struct PairReport {
  PairMetrics metrics;
  double popularity_auc = 0.5;  ///< of the items' training rows as scores
  double popularity_user_auc = 0.5;
  std::int64_t num_pairs = 0;
};

/// Errors of expected ratings over all held-out rows, beside those of the item's mean rating in
/// training (of the mean of all rows where it has none).
struct RatingReport {
  std::map<std::string, double> metrics, item_mean_metrics;  ///< "rmse", "mae"
  std::int64_t num_ratings = 0;
};
RatingReport evaluate_ratings(InterestScorer& scorer, const Dataset& dataset, HeldOut part,
                              kernels::Backend& backend);

/// Asks the model about every pair, users by their histories before the part.
PairReport evaluate_pairs(InterestScorer& scorer, const Dataset& dataset, HeldOut part,
                          kernels::Backend& backend);

}  // namespace penchant::pipeline
