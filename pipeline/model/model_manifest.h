// SPDX-License-Identifier: Apache-2.0
// Options of models as the manifests of X.model and its checkpoints hold them, and back.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "models/model_options.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

inline constexpr const char* kModelWeights = "weights.safetensors";
/// Of the network that probabilities come from, where it is one of its own (has_head).
inline constexpr const char* kHeadWeights = "head.safetensors";
bool has_head(const nlohmann::json& manifest);

inline constexpr const char* kEvaluation = "evaluation.json";

/// Throws InputError that begins with `place` and names the key model.*, what it is and what it may
/// be. Whoever builds a model, of options or of a manifest, asks first: extents are multiplied and
/// looped over.
void check_model_options(const models::ModelOptions& options, std::string_view place = {});

nlohmann::json model_to_json(const models::ModelOptions& model);
/// This and what follows: throws nlohmann::json::exception where something is missing, InputError for
/// an unknown word or a number out of its bounds.
models::ModelOptions model_from_json(const nlohmann::json& stored);

nlohmann::json blend_to_json(const FilterBlend& blend);
FilterBlend blend_from_json(const nlohmann::json& stored);

nlohmann::json repeats_to_json(const RepeatBlend& repeats);
RepeatBlend repeats_from_json(const nlohmann::json& stored);

nlohmann::json links_to_json(const LinkBlend& links);
/// stored.at("links"); models of earlier programs have none.
LinkBlend stored_links(const nlohmann::json& stored);

/// What the validation part said when choosing ended; null where nothing is known of the vectors (0).
nlohmann::json validation_to_json(const std::string& metric, double vectors, double full);

/// stored.at(key), a number from `least` to `most`.
double number_between(const nlohmann::json& stored, const char* key, double least, double most);
/// Weight of popularity in scores and of terms in mixtures.
inline constexpr double kMostWeight = 1e9;

}  // namespace penchant::pipeline
