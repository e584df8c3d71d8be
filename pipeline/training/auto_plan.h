// SPDX-License-Identifier: Apache-2.0
// How much model.kind = "auto" tries within a time budget. The plan follows from counted operations
// at assumed rates, not from a clock, so that the same command makes the same choice every time
// (docs/decisions/0010-auto.md).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// "90s", "5m", "1h" or plain seconds. Throws InputError that names `key`.
Budget parse_budget(std::string_view text, std::string_view key);

/// What the cost of a plan depends on.
struct PlanSizes {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::int64_t num_entries = 0;    ///< distinct (user, item) pairs of the training part
  std::int64_t propagated = 0;     ///< entries of the propagation matrix
  std::int64_t embedding_dim = 0;  ///< width of trained vectors
  std::int64_t num_layers = 0;
  std::int64_t num_negatives = 0;
  std::int64_t steps_per_epoch = 0;
  bool repeats = false;             ///< what users did before is tried beside what was chosen
  double network_operations = 0.0;  ///< of an epoch of a network of sequences; 0: none is trained
  bool graph_beside_networks = false;  ///< vectors of the graph are trained as well
  int num_threads = 1;
};

/// `repeats` and what concerns networks are left to the caller.
PlanSizes plan_sizes(const Dataset& dataset, const graph::UserItemGraph& graph,
                     const TrainOptions& options);

struct AutoPlan {
  std::int64_t epochs = 0;             ///< of vectors of the graph; 0: none are trained
  std::int64_t rank = 0;               ///< singular vectors of the filter
  std::int64_t selection_users = 0;    ///< of the validation part that choices are made on
  std::int64_t distilled_users = 0;    ///< that vectors learn the ranking of before that is judged;
                                       ///< in the end all do. 0: vectors do not learn it
  std::int64_t distilled_epochs = 320;  ///< of theirs, at most, where they are few
  std::int64_t networks = 0;           ///< of sequences, that differ by their seed: one is trained
                                       ///< for selection, and all of them in the end
  std::int64_t network_epochs = 0;     ///< of each, at most
  bool ridge = false;                  ///< vectors of a ridge regression, too
  double seconds = 0.0;                ///< expected for all of it
};

/// The largest plan of a fixed list that is expected to take at most `budget_seconds`; the smallest
/// if none does.
AutoPlan plan_auto(const PlanSizes& sizes, double budget_seconds);

/// Operations of an epoch of a network of sequences (model.kind = "interest"), where
/// ModelKind::automatic considers one (docs/decisions/0038-networks-in-the-mixture.md): what is held
/// out comes after what is known of its user, and no option of the mixture was set. Else 0.
double network_operations(const Dataset& dataset, const TrainOptions& options);

/// How the models of a mixture are trained on the training part: a network, vectors of the graph,
/// those of a ridge regression.
std::vector<TrainOptions> planned_members(const AutoPlan& plan, const TrainOptions& options);

}  // namespace penchant::pipeline
