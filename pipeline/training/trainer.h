// SPDX-License-Identifier: Apache-2.0
// The training loop of models that learn in steps.
#pragma once

#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for the kinds of model that have vectors or a network to learn; options have been
/// checked.
TrainReport train_vectors(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
