// SPDX-License-Identifier: Apache-2.0
// Training of models that learn in steps.
#pragma once

#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for the kinds of model that have vectors or a network to learn; options have been
/// checked. `graphs_of`: what the graphs are made of.
TrainReport train_vectors(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          kernels::Backend& backend, Progress& progress,
                          KnownPart graphs_of = KnownPart::train);

}  // namespace penchant::pipeline
