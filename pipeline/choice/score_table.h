// SPDX-License-Identifier: Apache-2.0
// A scorer's scores for the users of a task, computed once and handed out tile by tile: what many
// mixtures are tried with.
#pragma once

#include <vector>

#include "graph/ids.h"
#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

class ScoreTable final : public models::Scorer {
 public:
  ScoreTable(models::Scorer& source, const RankingTask& task, kernels::Backend& backend);
  /// `users` must be a run of the task's users.
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;

 private:
  std::vector<graph::NodeId> users_;
  kernels::FloatMatrix table_;
};

}  // namespace penchant::pipeline
