// SPDX-License-Identifier: Apache-2.0
// All stages in order. A stage is skipped when its artefact says that it was made from the same
// inputs with the same settings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/data/partition_stage.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

struct RunReport {
  std::vector<std::string> done, skipped;   ///< names of stages
  EvaluateReport model, popularity;         ///< empty if there is no test part
  std::vector<PartitionReport> partitions;  ///< empty if skipped
  bool interrupted = false;
};

/// The data set of `config`: read from data.out if that was made of the same files and settings, else
/// ingested into it. Throws InputError.
Dataset ingested(const Config& config, Progress& progress);

/// Ingest, graph, partition, train, evaluate, embed as `config` says; a model of an earlier program
/// that is what `config` asks for is upgraded. Writes evaluation.json into the model.
RunReport run_all(Config config, Progress& progress);

}  // namespace penchant::pipeline
