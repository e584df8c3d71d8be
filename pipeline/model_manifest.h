// SPDX-License-Identifier: Apache-2.0
// Options of models as the manifests of X.model and its checkpoints hold them, and back.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "models/model_options.h"
#include "pipeline/filter_blend.h"
#include "pipeline/repeat_blend.h"

namespace penchant::pipeline {

inline constexpr const char* kModelArtifact = "model";
inline constexpr const char* kModelWeights = "weights.safetensors";

inline constexpr const char* kEvaluation = "evaluation.json";

/// begin_artifact() for a model; what was measured of the last one goes.
void begin_model(const std::filesystem::path& directory);

nlohmann::json model_to_json(const models::ModelOptions& model);
/// Throws nlohmann::json::exception where something is missing, InputError for an unknown word.
models::ModelOptions model_from_json(const nlohmann::json& stored);

nlohmann::json blend_to_json(const FilterBlend& blend);
FilterBlend blend_from_json(const nlohmann::json& stored);

nlohmann::json repeats_to_json(const RepeatBlend& repeats);
RepeatBlend repeats_from_json(const nlohmann::json& stored);

}  // namespace penchant::pipeline
