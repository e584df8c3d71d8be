// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for model.kind = "auto": a graph filter, trained vectors, or the sum of both
// and of popularity, whatever the validation part likes best within a time budget; then made anew
// of train + validation.
//   score(u, i) = sqrt(d_u) (<users_u, items_i> + a log(1 + users of i)) + w filter(u, i)
//               + v repeats(u, i)
// The root of the user's degree d_u brings both terms to one scale for all users: a filter's scores
// grow with it. Where held-out rows repeat training rows, what users did before has a say
// (pipeline/choice/repeat_blend.h).
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for ModelKind::automatic. Writes choice.json (what has been decided; an interrupted run
/// goes on from it), vectors/ (a model of its own, if vectors were trained), weights.safetensors
/// (the filter's singular vectors, if it has a say), metrics.jsonl (a line for each trial),
/// config.toml and manifest.json.
TrainReport train_auto(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                       const std::string& config_toml, const Destination& destination,
                       kernels::Backend& backend, Progress& progress);

/// load_model() of what train_auto wrote. `manifest` has been read and names this data set. `known`
/// is what repeats are counted in.
TrainedModel load_auto(const std::filesystem::path& model_directory, const nlohmann::json& manifest,
                       const Dataset& dataset, kernels::Backend& backend, KnownPart known);

}  // namespace penchant::pipeline
