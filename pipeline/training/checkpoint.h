// SPDX-License-Identifier: Apache-2.0
// What an interrupted training goes on from: checkpoint.safetensors holds the tensors that a step
// changes and, as metadata, the course of the training and its position.
#pragma once

#include <filesystem>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "graph/error.h"
#include "models/safetensors.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/training_phase.h"
#include "pipeline/training/training_position.h"

namespace penchant::pipeline {

/// Everything that changes the course of training; a checkpoint resumes only under equal ones.
nlohmann::json training_course(const Dataset& dataset, const Graphs& graphs,
                               const TrainOptions& options);
/// The options' part of it.
nlohmann::json options_course(const TrainOptions& options);

/// What was begun is of another course, or another version wrote it.
class CannotResume : public InputError {
 public:
  using InputError::InputError;
};
/// Throws CannotResume that names `file` if a training of course `stored` cannot go on under `now`.
void require_same_course(const std::filesystem::path& file, const nlohmann::json& stored,
                         const nlohmann::json& now);

/// Throws CannotResume if the folder holds the begun training of another kind of model, which has
/// this file.
void refuse_other_training(const std::filesystem::path& folder, const char* other);

struct Checkpoint {
  models::TensorFile tensors;  ///< for TrainingPhase::read_state
  TrainingPosition position;
};

/// Reads the checkpoint in the folder of a model. Throws InputError: damaged, of another version,
/// of another course.
Checkpoint read_checkpoint(const std::filesystem::path& folder, const nlohmann::json& course,
                           const TrainOptions& options);
/// A signal leaves it the time that it takes.
void write_checkpoint(const std::filesystem::path& folder, const nlohmann::json& course,
                      const TrainingPosition& position, TrainingPhase& phase);

/// Keeps the lines of metrics.jsonl that lie before `position`: those behind it will be written
/// again.
void trim_metrics(const std::filesystem::path& folder, const TrainingPosition& position);

}  // namespace penchant::pipeline
