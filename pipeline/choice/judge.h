// SPDX-License-Identifier: Apache-2.0
// Asks the validation part what it says of ways to rank.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "graph/random.h"
#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

/// Draws the users that choices are made on: the same for every seed of training, so that two of
/// them do not choose differently because they asked others.
inline constexpr graph::Seed kJudgesSeed{0};

/// Judges by one metric for the users of a task; all that it is given must outlive it.
class Judge {
 public:
  Judge(const RankingTask& task, std::span<const std::int64_t> item_counts,
        const std::string& metric, kernels::Backend& backend,
        Progress& progress = silent_progress())
      : task_(task),
        item_counts_(item_counts),
        metric_(metric),
        backend_(backend),
        progress_(progress) {}

  const RankingTask& task() const { return task_; }
  const std::string& metric() const { return metric_; }

  /// All metrics at the cut-off of the one.
  std::map<std::string, double> metrics(models::Scorer& scorer) const;
  std::map<std::string, double> metrics(kernels::ConstFloatView users,
                                        kernels::ConstFloatView items) const;
  Judgement operator()(models::Scorer& scorer) const { return judgement(metrics(scorer), metric_); }
  Judgement operator()(kernels::ConstFloatView users, kernels::ConstFloatView items) const {
    return judgement(metrics(users, items), metric_);
  }

 private:
  const RankingTask& task_;
  std::span<const std::int64_t> item_counts_;
  const std::string& metric_;
  kernels::Backend& backend_;
  Progress& progress_;
};

}  // namespace penchant::pipeline
