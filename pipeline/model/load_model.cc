// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/load_model.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "models/model_options.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using nlohmann::json;

namespace {

TrainedModel read_model(const fs::path& model_directory, const Dataset& dataset, Backend& backend,
                        KnownPart known) {
  const json manifest = read_manifest(model_directory, kModelArtifact);
  check_files(model_directory, kModelArtifact, manifest);
  try {
    const auto data_hash = manifest.at("data_hash").get<std::string>();
    if (data_hash != dataset.hash) {
      throw InputError(fmt::format("{}: was trained on another data set (hash {}, this one is {})",
                                   model_directory.string(), data_hash, dataset.hash));
    }
    if (manifest.at("model").at("kind") == enum_name(models::ModelKind::graph_filter))
      return load_filter(model_directory, manifest, dataset, backend);
    if (manifest.at("model").at("kind") == enum_name(models::ModelKind::automatic))
      return load_auto(model_directory, manifest, dataset, backend, known);
    return load_vectors(model_directory, manifest, dataset, backend, known);
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: {}", model_directory.string(), error.what()));
  }
}

}  // namespace

TrainedModel load_model(const fs::path& model_directory, const Dataset& dataset, Backend& backend,
                        KnownPart known) {
  return read_whole(model_directory,
                    [&] { return read_model(model_directory, dataset, backend, known); });
}

}  // namespace penchant::pipeline
