// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for model.kind = "auto": a graph filter, trained vectors, or the sum of both
// and of popularity, whatever the validation part likes best within a time budget; then made anew
// of train + validation.
//   (what is in the sum: pipeline/model/auto_model.h)
#pragma once

#include <string>

#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for ModelKind::automatic. Writes choice.json (what has been decided; an interrupted run
/// goes on from it), trained/ (a model of its own, if vectors were trained), weights.safetensors
/// (the filter's singular vectors, if it has a say), metrics.jsonl (a line for each trial),
/// config.toml and manifest.json.
TrainReport train_auto(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                       const std::string& config_toml, const Destination& destination,
                       kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
