// SPDX-License-Identifier: Apache-2.0
// What compressing vectors costs, told by rankings before and after.
#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

/// Users and items whose inner products rank.
struct RankedVectors {
  kernels::ConstFloatView users, items;
};

/// Users whose validation rows are ranked, drawn at random where more have some: of a million items
/// 20,000.
std::int64_t most_judged_users(std::int64_t num_items);

class VectorQuality {
 public:
  /// Of the rows of the validation part; without any only lists are compared. Vectors and backend
  /// are on the CPU; `dataset` must outlive this.
  VectorQuality(const Dataset& dataset, const RankedVectors& before, std::int64_t cutoff,
                kernels::Backend& backend, Progress& progress);
  /// {"validation": {"users", "recall@20": {"before", "after", "lost"}, "hit_rate@20", "ndcg@20"} or
  /// null, "overlap@20"}: lost as a share of what was before; of the users' first 20 items the share
  /// that is among the first 20 afterwards, mean over 2,000 users at most.
  nlohmann::json compare(const RankedVectors& after) const;
  /// Seconds that ranking by the vectors before took: about what one compare() takes.
  double seconds() const { return seconds_; }
  /// Seconds of best items for one user.
  double seconds_a_list() const { return seconds_a_list_; }

 private:
  std::map<std::string, double> metrics(const RankedVectors& vectors) const;
  std::vector<std::vector<graph::NodeId>> lists(const RankedVectors& vectors) const;

  const Dataset& dataset_;
  kernels::Backend& backend_;
  Progress& progress_;
  std::optional<RankingTask> task_;
  std::int64_t cutoff_;
  std::vector<graph::NodeId> sample_;
  std::map<std::string, double> before_;
  std::vector<std::vector<graph::NodeId>> lists_before_;
  double seconds_ = 0.0;
  double seconds_a_list_ = 0.0;
};

}  // namespace penchant::pipeline
