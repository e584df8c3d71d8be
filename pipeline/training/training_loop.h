// SPDX-License-Identifier: Apache-2.0
// Steps and epochs of a training: learning rate, losses, validation, early stopping, checkpoints
// and the lines of metrics.jsonl. Which phases follow on each other: trainer.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/training_phase.h"
#include "pipeline/training/training_position.h"

namespace penchant::pipeline {

class TrainingLoop {
 public:
  /// What the validation part says of the phase's vectors.
  using Validate = std::function<std::map<std::string, double>(TrainingPhase&)>;

  /// Moves `position` on and writes into `folder`; both and the options must outlive the loop.
  /// Without `validate` nothing is validated.
  TrainingLoop(const TrainOptions& options, nlohmann::json course, std::filesystem::path folder,
               Validate validate, TrainingPosition& position, Progress& progress)
      : options_(options),
        course_(std::move(course)),
        folder_(std::move(folder)),
        validate_(std::move(validate)),
        position_(position),
        progress_(progress) {}

  /// Runs the rest of the phase that `position` is in; false if interrupted (after a checkpoint).
  bool run(TrainingPhase& phase);
  /// Seconds of the steps that make an epoch; 0: no step ran.
  double epoch_seconds() const { return epochs_done_ > 0.0 ? step_seconds_ / epochs_done_ : 0.0; }

 private:
  bool run_steps(TrainingPhase& phase);
  void step(TrainingPhase& phase);
  bool end_epoch(TrainingPhase& phase);
  bool improves(TrainingPhase& phase, double value);
  bool averages(const TrainingPhase& phase) const;
  void keep_average(TrainingPhase& phase, nlohmann::json& line);
  void read_losses(TrainingPhase& phase);
  void write_checkpoint(TrainingPhase& phase) const;
  void show(const TrainingPhase& phase) const;
  double mean_loss() const;
  float learning_rate(std::int64_t steps_per_epoch) const;

  const TrainOptions& options_;
  nlohmann::json course_;
  std::filesystem::path folder_;
  Validate validate_;
  TrainingPosition& position_;
  Progress& progress_;
  std::int64_t pending_rows_ = 0;  ///< of the steps whose losses have not been read
  double step_seconds_ = 0.0;
  double epochs_done_ = 0.0;
  std::chrono::steady_clock::time_point rate_start_;
  std::int64_t rate_rows_ = 0;
};

}  // namespace penchant::pipeline
