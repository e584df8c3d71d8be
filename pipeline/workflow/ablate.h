// SPDX-License-Identifier: Apache-2.0
// What each part of a model is worth: the same data and recipe with parts left out or exchanged, in
// one table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

/// A change of the configuration under a name that can be a file's.
struct Variant {
  std::string name;
  std::vector<std::string> settings;  ///< "key=value", applied in order
};

/// The interest model whole (lstm, rnn, cnn), and without the item graph, the sequence or the
/// graph.
std::vector<Variant> interest_variants();

struct AblationRow {
  Variant variant;
  double best_validation =
      0.0;  ///< of the configuration's validation metric, on training rows only
  std::int64_t best_epoch = 0;
  std::int64_t epochs_run = 0;
  double epoch_seconds = 0.0;  ///< of training steps
  double seconds = 0.0;        ///< of the whole training, validation and refit included
  EvaluateReport test;         ///< num_users = 0: the data set has no test part
};

struct AblationReport {
  std::string validation_metric;
  std::vector<AblationRow> rows;  ///< finished ones, in the order of the variants
  std::vector<std::string> done, skipped;
  bool interrupted = false;
};

/// Trains NAME.model in `out` for each variant, evaluates it on test and stores the row in
/// NAME.json. A variant whose row is there and was made from the same data and settings is skipped,
/// and an unfinished model of the same settings goes on, so that the command can be repeated.
AblationReport ablate(const std::filesystem::path& data, const Config& config,
                      const std::vector<Variant>& variants, const std::filesystem::path& out,
                      Progress& progress);

nlohmann::json ablation_to_json(const AblationReport& report);
std::string ablation_table(const AblationReport& report);

}  // namespace penchant::pipeline
