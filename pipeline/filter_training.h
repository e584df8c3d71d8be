// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for graph filters, which have nothing to train in steps: options that are not
// given are chosen on the validation part, then the filter is made of train + validation.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/train.h"

namespace penchant::pipeline {

/// train() for ModelKind::graph_filter. Writes weights.safetensors (the singular vectors),
/// metrics.jsonl (a line for each trial), config.toml and manifest.json.
TrainReport train_filter(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         const std::string& config_toml,
                         const std::filesystem::path& model_directory, kernels::Backend& backend,
                         Progress& progress);

/// load_model() of what train_filter wrote. `manifest` has been read and names this data set.
TrainedModel load_filter(const std::filesystem::path& model_directory,
                         const nlohmann::json& manifest, const Dataset& dataset,
                         kernels::Backend& backend);

}  // namespace penchant::pipeline
