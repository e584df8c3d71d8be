// SPDX-License-Identifier: Apache-2.0
// Models that learn in steps, out of X.model: the graphs they were trained on, their weights, and
// what ranks beside their vectors.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/trained_model.h"

namespace penchant::pipeline {

/// load_model() of encoders and interest models. `manifest` has been read and names this data set.
TrainedModel load_vectors(const std::filesystem::path& model_directory,
                          const nlohmann::json& manifest, const Dataset& dataset,
                          kernels::Backend& backend, KnownPart known);

}  // namespace penchant::pipeline
