// SPDX-License-Identifier: Apache-2.0
// From a model's weights to its finished vectors, of every kind: at the end of training, and where
// a model of an earlier program is brought up to date.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

/// Throws InputError unless the model was trained on this data set.
void require_data(const std::filesystem::path& model_directory, const nlohmann::json& manifest,
                  const Dataset& dataset);

/// The vectors by the weights in the folder and the manifest. `graphs`: what it was trained on;
/// `known` is what a network knows of users.
FinishedVectors derive_vectors(const std::filesystem::path& model_directory,
                               const nlohmann::json& manifest, const Dataset& dataset,
                               const Graphs& graphs, kernels::Backend& backend,
                               KnownPart known = KnownPart::train_and_validation);

/// Stores the vectors beside the weights that have been written and finishes the model.
void finish_model(ArtifactWriter& writer, nlohmann::json manifest, const Dataset& dataset,
                  const Graphs& graphs, kernels::Backend& backend);

}  // namespace penchant::pipeline
