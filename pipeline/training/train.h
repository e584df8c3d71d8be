// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model. The trainer owns the loop (sampling, step, validation,
// checkpoint); the equations are in models/.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

struct TrainReport {
  std::int64_t epochs_run = 0;  ///< of both phases
  std::int64_t best_epoch = 0;  ///< by validation; all epochs without validation
  bool validated = false;
  double best_validation = 0.0;  ///< of validation_metric, by the full score
  std::string validation_metric;
  double final_loss = 0.0;
  double seconds = 0.0;
  double epoch_seconds = 0.0;  ///< of the training steps of one epoch; 0: no step ran
  std::string chosen;          ///< graph_filter, auto: what was chosen and why, for people
  bool interrupted = false;    ///< stopped by Progress::stop_requested after writing a checkpoint
};

/// Trains and writes X.model (weights.safetensors, metrics.jsonl, config.toml, manifest.json; while
/// it is not finished, checkpoint.safetensors and best.safetensors). `config_toml` is the effective
/// configuration, stored for the record. Throws InputError.
TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const Destination& destination,
                  kernels::Backend& backend, Progress& progress);

/// The same, but an unfinished model of the same course goes on, and one of another course is
/// trained anew; `options.resume` does not count.
TrainReport train_or_resume(const Dataset& dataset, const Graphs& graphs, TrainOptions options,
                            const std::string& config_toml, const Destination& destination,
                            kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
