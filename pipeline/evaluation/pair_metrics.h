// SPDX-License-Identifier: Apache-2.0
// Metrics of scored (user, item) pairs with labels: what a ranking head is judged by. Formulas:
// docs/metrics.md. Sums are in double.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace penchant::pipeline {

/// Pairs of equal count, in any order.
struct LabeledPairs {
  std::span<const graph::NodeId> users;
  std::span<const std::uint8_t> labels;  ///< 1: interest, 0: none
};

/// The pairs whose probability is in [lower, upper), or up to 1 for the last bin.
struct ReliabilityBin {
  double lower = 0.0, upper = 0.0;
  std::int64_t num_pairs = 0;
  double mean_probability = 0.0;  ///< 0 in an empty bin
  double share_positive = 0.0;
};

inline constexpr std::int64_t kReliabilityBins = 10;

struct PairMetrics {
  /// accuracy, precision, recall, f1, auc, user_auc, log_loss, mae, calibration_error
  std::map<std::string, double> values;
  std::vector<ReliabilityBin> bins;
};

/// Metrics of probabilities. A pair counts as predicted if its probability is at least `threshold`.
/// Throws InputError for a probability that is not a number from 0 to 1.
PairMetrics pair_metrics(const LabeledPairs& pairs, std::span<const float> probabilities,
                         double threshold = 0.5);

/// Share of (positive, negative) pairs whose positive scores higher, ties one half; 0.5 if there
/// is no positive or no negative. Any finite scores.
double pair_auc(std::span<const std::uint8_t> labels, std::span<const float> scores);
/// Mean of pair_auc over the users with a positive and a negative; 0.5 if there is none.
double user_auc(const LabeledPairs& pairs, std::span<const float> scores);

/// "rmse" and "mae" of predicted ratings.
std::map<std::string, double> rating_metrics(std::span<const float> predicted,
                                             std::span<const float> actual);

}  // namespace penchant::pipeline
