// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/derive_vectors.h"

#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/model_options.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/movement.h"
#include "pipeline/model/private_model.h"
#include "pipeline/model/stored_vectors.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using nlohmann::json;

void require_data(const fs::path& model_directory, const json& manifest, const Dataset& dataset) {
  if (manifest.contains("privacy")) {
    require_private_data(model_directory, manifest, dataset);
    return;
  }
  std::string data_hash;
  take_values(model_directory / kManifestName, [&] { manifest.at("data_hash").get_to(data_hash); });
  if (data_hash == dataset.hash) return;
  // Times are written alike, so that their texts are in their order.
  const std::string created = manifest.value("created", "");
  const std::vector<Tombstone> tombstones = tombstones_in(dataset.directory);
  const bool forgot_since = !tombstones.empty() && tombstones.back().when >= created;
  throw InputError(fmt::format(
      "{}: was trained on another data set (hash {}, this one is {}){}", model_directory.string(),
      data_hash, dataset.hash,
      forgot_since
          ? fmt::format(
                "; {} {}, and the model may still hold it: train again, and remove this one",
                dataset.directory.string(), told(tombstones))
          : std::string()));
}

FinishedVectors derive_vectors(const fs::path& model_directory, const json& manifest,
                               const Dataset& dataset, const Graphs& graphs, Backend& backend,
                               KnownPart known) {
  const json& model = manifest.at("model");
  if (model.at("kind") == enum_name(models::ModelKind::graph_filter)) {
    return filter_vectors(*load_filter(model_directory, model, graphs.user_item, backend), model,
                          graphs, backend);
  }
  if (model.at("kind") == enum_name(models::ModelKind::automatic))
    return auto_vectors(model_directory, manifest, dataset, graphs, backend, known);
  return trained_vectors(model_directory, manifest, dataset, graphs, backend, known);
}

namespace {

/// How far the rows of `now` moved that both have; null where the widths differ.
json moved(const fs::path& before, std::int64_t num_before, std::span<const graph::NodeId> earlier,
           kernels::ConstFloatView now, Backend& backend) {
  kernels::Download<float> download;
  const graph::MappedNpy<float> stored = map_vectors(before, num_before, now.cols);
  return movement_json(how_far_rows_moved(
      {stored.values().data(), num_before, now.cols, now.cols, kernels::Device::cpu},
      download(now, backend), earlier));
}

void add_update(json& manifest, const Predecessor& before, const FinishedVectors& vectors,
                Backend& backend) {
  const fs::path file = before.model / kManifestName;
  const json old = read_manifest(before.model, kModelArtifact);
  take_values(file, [&] {
    manifest["version"] = version_of(old) + 1;
    manifest["update"] = {{"of", old.at("hash")}, {"of_data", old.at("data_hash")}};
    if (VectorLayout::from_json(old.at("layout")).width() != vectors.layout.width()) return;
    const fs::path folder = before.model / kVectorsFolder;
    manifest["update"]["moved"] = {
        {"users", moved(folder / "users.npy", before.num_users, before.users, vectors.users.view(),
                        backend)},
        {"items", moved(folder / "items.npy", before.num_items, before.items, vectors.items.view(),
                        backend)}};
  });
}

}  // namespace

void finish_model(ArtifactWriter& writer, json manifest, const Dataset& dataset,
                  const Graphs& graphs, Backend& backend, const Predecessor* before) {
  const FinishedVectors vectors =
      derive_vectors(writer.folder(), manifest, dataset, graphs, backend);
  store_vectors(writer.folder(), vectors, backend);
  manifest["layout"] = vectors.layout.to_json();
  if (before != nullptr) add_update(manifest, *before, vectors, backend);
  writer.finish(std::move(manifest));
}

}  // namespace penchant::pipeline
