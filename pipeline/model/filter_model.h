// SPDX-License-Identifier: Apache-2.0
// Graph filters as X.model holds them: options in the manifest, singular vectors beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "models/graph_filter.h"
#include "pipeline/data/dataset.h"
#include "pipeline/model/trained_model.h"

namespace penchant::pipeline {

nlohmann::json filter_to_json(const models::FilterOptions& filter);
models::FilterOptions filter_from_json(const nlohmann::json& stored);
/// The options that the kind uses, for people.
std::string describe(const models::FilterOptions& filter);
void write_singular_vectors(const std::filesystem::path& path, const models::FilterGraph& graph,
                            kernels::Backend& backend);
models::SingularVectors read_singular_vectors(const std::filesystem::path& path,
                                              std::int64_t num_items, kernels::Backend& backend);

/// Width of the vectors, of the manifest's "model". Throws InputError if it is out of bounds.
std::int64_t filter_width(const nlohmann::json& model);

/// load_model() of what train_filter wrote. `manifest` has been read and names this data set.
TrainedModel load_filter(const std::filesystem::path& model_directory,
                         const nlohmann::json& manifest, const Dataset& dataset,
                         kernels::Backend& backend);

}  // namespace penchant::pipeline
