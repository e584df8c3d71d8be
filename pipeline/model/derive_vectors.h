// SPDX-License-Identifier: Apache-2.0
// From a model's weights to its finished vectors, of every kind: at the end of training, and where
// a model of an earlier program is brought up to date.
#pragma once

#include <filesystem>
#include <span>

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

/// The finished model that another one was trained on from.
struct Predecessor {
  std::filesystem::path model;
  std::span<const graph::NodeId> users, items;  ///< earlier rows of those of today, or kNoNode
  std::int64_t num_users = 0, num_items = 0;    ///< of the predecessor
};

/// Stores the vectors beside the weights that have been written and finishes the model. With
/// `before` the manifest says under "update" how far rows moved that both have, and "version" is one
/// more than the predecessor's.
void finish_model(ArtifactWriter& writer, nlohmann::json manifest, const Dataset& dataset,
                  const Graphs& graphs, kernels::Backend& backend,
                  const Predecessor* before = nullptr);

}  // namespace penchant::pipeline
