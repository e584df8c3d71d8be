// SPDX-License-Identifier: Apache-2.0
// Ranking metrics. Formulas: docs/metrics.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace penchant::pipeline {

/// Sums over users what a top-K list scores against the held-out items, for every cut-off.
class MetricSums {
 public:
  /// `item_counts`: training rows of each item, for the popularity of what is recommended.
  MetricSums(std::vector<std::int64_t> cutoffs, std::span<const std::int64_t> item_counts);
  /// `ranked`: item ids best first, graph::kNoNode where fewer items were left; at least the
  /// largest cut-off long. `targets`: held-out items, ascending, not empty.
  void add(std::span<const graph::NodeId> ranked, std::span<const graph::NodeId> targets);
  /// `above`: for each target the number of unmasked non-target items ranked above it (ties count
  /// one half); `others`: their number.
  void add_ranks(std::span<const double> above, std::int64_t others);
  std::map<std::string, double> averages() const;
  std::int64_t num_users() const { return num_users_; }

 private:
  struct AtCutoff {
    std::int64_t cutoff;
    double recall = 0, precision = 0, ndcg = 0, hit_rate = 0, mrr = 0, map = 0, popularity = 0;
    std::vector<std::int64_t> recommended;  ///< times each item was recommended
  };
  std::vector<AtCutoff> cutoffs_;
  std::span<const std::int64_t> item_counts_;
  std::int64_t num_users_ = 0;
  std::int64_t num_ranked_users_ = 0;
  double auc_ = 0, mean_rank_ = 0, mrr_ = 0;
};

}  // namespace penchant::pipeline
