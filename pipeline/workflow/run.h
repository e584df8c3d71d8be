// SPDX-License-Identifier: Apache-2.0
// All stages in order. A stage is skipped when its artefact says that it was made from the same
// inputs with the same settings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

struct RunReport {
  std::vector<std::string> done, skipped;   ///< names of stages
  EvaluateReport model, popularity;         ///< empty if there is no test part
  std::vector<PartitionReport> partitions;  ///< empty if skipped
  bool interrupted = false;
};

/// Node order for train.node_order = metis, from X.data/partition (computed there if missing).
void load_metis_order(const std::filesystem::path& data, const Dataset& dataset,
                      const Graphs& graphs, Config& config, Progress& progress);

/// Trains config.model_out by config.train; an unfinished model of the same course goes on, one of
/// another course is trained anew. `stamp`: artifact.h.
TrainReport train_or_resume(const Dataset& dataset, const Graphs& graphs, Config& config,
                            kernels::Backend& backend, Progress& progress,
                            const std::string& stamp = "");

/// Ingest, graph, partition, train, evaluate, embed as `config` says. Writes evaluation.json into
/// the model.
RunReport run_all(Config config, Progress& progress);

}  // namespace penchant::pipeline
