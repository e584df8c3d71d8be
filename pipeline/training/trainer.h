// SPDX-License-Identifier: Apache-2.0
// Training of models that learn in steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/data/graph_stage.h"
#include "pipeline/model/calibration.h"
#include "pipeline/training/train.h"
#include "pipeline/training/warm_start.h"

namespace penchant::pipeline {

/// What a training on the training part chose, for the same on train + validation.
struct Refit {
  std::int64_t epochs = 0;      ///< of TrainOptions::epochs
  std::int64_t attempt = 0;     ///< that they are of (training_position.h)
  std::int64_t head_epoch = 0;  ///< whose averaged weights give the probabilities; 0: the last ones
  Calibration calibration = {};
};
/// What the manifest of a trained model says of that.
Refit refit_of(const std::filesystem::path& model_directory);

/// train() for the kinds of model that have vectors or a network to learn; options have been
/// checked. With `refit` it learns from train + validation, which the graphs are made of then. With
/// `warm` it goes on from an earlier model, whose terms beside the vectors stay.
TrainReport train_vectors(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          kernels::Backend& backend, Progress& progress,
                          const std::optional<Refit>& refit = {},
                          const WarmStart* warm = nullptr);

}  // namespace penchant::pipeline
