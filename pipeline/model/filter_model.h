// SPDX-License-Identifier: Apache-2.0
// Graph filters as X.model holds them: options in the manifest, singular vectors beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "models/graph_filter.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

nlohmann::json filter_to_json(const models::FilterOptions& filter);
models::FilterOptions filter_from_json(const nlohmann::json& stored);
/// The options that the kind uses, for people.
std::string describe(const models::FilterOptions& filter);
/// Singular vectors of an earlier filter: those of today get the signs that these have, so that vectors
/// stay comparable. Scores do not depend on signs.
struct EarlierAxes {
  std::filesystem::path file;
  std::int64_t num_items = 0;
  std::span<const graph::NodeId> items;  ///< earlier rows of the items of today, or kNoNode
};
void write_singular_vectors(const std::filesystem::path& path, const models::FilterGraph& graph,
                            kernels::Backend& backend, const EarlierAxes* before = nullptr);
/// For look-ups on the CPU they are mapped, unhashed.
models::SingularVectors read_singular_vectors(const std::filesystem::path& path,
                                              std::int64_t num_items, kernels::Backend& backend,
                                              DatasetUse use = DatasetUse::everything);

/// Width of the vectors, of the manifest's "model". Throws InputError if it is out of bounds.
std::int64_t filter_width(const nlohmann::json& model);

/// The filter of the manifest's "model" with the singular vectors beside it, of the rows that it
/// was made of.
std::unique_ptr<models::GraphFilter> load_filter(const std::filesystem::path& model_directory,
                                                 const nlohmann::json& model,
                                                 const graph::UserItemGraph& graph,
                                                 kernels::Backend& backend,
                                                 DatasetUse use = DatasetUse::everything);
/// Its finished vectors.
FinishedVectors filter_vectors(const models::GraphFilter& filter, const nlohmann::json& model,
                               const Graphs& graphs, kernels::Backend& backend);

}  // namespace penchant::pipeline
