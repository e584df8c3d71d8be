// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/upgrade.h"

#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_facts.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/stored_vectors.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using nlohmann::json;

namespace {

/// The manifest of a model whose files are whole but for its vectors.
json read_old(const fs::path& model, const Dataset& dataset) {
  json manifest = read_manifest(model, kModelArtifact);
  check_files(
      model, kModelArtifact, manifest,
      manifest.at("format_version") == kModelFormat ? CheckedFiles::others : CheckedFiles::all);
  require_data(model, manifest, dataset);
  return manifest;
}

void copy_into(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  fs::copy_file(file, folder / file.filename(), fs::copy_options::overwrite_existing, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be copied: {}", file.string(), error.message()));
}

/// What was stored beside the weights, the results of an evaluation included.
void copy_files(const fs::path& from, const fs::path& to) {
  for (const std::string& name : files_below(from)) {
    const bool own =
        name.find('/') == std::string::npos && file_role(kModelArtifact, name) == FileRole::content;
    if ((own && name != kChoiceName) || name == kEvaluation) copy_into(from / name, to);
  }
}

/// The trained model of a mixture: the manifest around it names its own.
void refuse_part_of_a_model(const fs::path& model, const Dataset& dataset) {
  fs::path folder = fs::absolute(model).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  const std::string name = folder.filename().string();
  const bool inner = name.starts_with(member_folder(0)) || name == kVectorsFolder;
  if (inner && fs::exists(folder.parent_path() / kManifestName)) {
    throw InputError(fmt::format("{0}: is a part of {1}; `penchant upgrade {2} {1}` writes both",
                                 model.string(), folder.parent_path().string(),
                                 dataset.directory.string()));
  }
}

void write_anew(const fs::path& from, json manifest, ArtifactWriter& writer, const Dataset& dataset,
                Backend& backend, Progress& progress) {
  const ModelFacts facts = model_facts(from, manifest);
  writer.clear();
  copy_files(from, writer.folder());
  if (facts.kind == models::ModelKind::automatic) {
    for (const MixtureMember& member : members_of(manifest.at("model"))) {
      fs::path trained = from / member.folder;
      // Up to format version 2 the trained model of a mixture lay where its vectors are now.
      if (!fs::exists(trained) && fs::exists(from / kVectorsFolder / kManifestName))
        trained = from / kVectorsFolder;
      ArtifactWriter inner(writer.folder() / member.folder, kModelArtifact);
      write_anew(trained, read_old(trained, dataset), inner, dataset, backend, progress);
    }
  }
  stop_if_asked(progress);
  const Graphs graphs =
      make_graphs(facts.saw_validation ? train_and_validation(dataset) : dataset.split.train,
                  dataset, facts.graph_options);
  // Late: in an unfinished model it says that a training goes on.
  if (fs::exists(from / kChoiceName)) copy_into(from / kChoiceName, writer.folder());
  finish_model(writer, std::move(manifest), dataset, graphs, backend);
}

/// Of what `penchant run` made the model, so that it is not made again.
std::string stamp_of(const fs::path& model) {
  return fs::exists(model / kStampName) ? graph::read_file(model / kStampName) : "";
}

}  // namespace

UpgradeReport upgrade_model(const fs::path& model_directory, const Dataset& dataset,
                            Backend& backend, Progress& progress) {
  progress.begin("upgrade");
  refuse_part_of_a_model(model_directory, dataset);
  if (const fs::path begun = resumable_training(model_directory); !begun.empty()) {
    throw InputError(fmt::format(
        "{}: holds an interrupted training, which would be lost; end it with train --resume, or "
        "remove it",
        begun.string()));
  }
  UpgradeReport report;
  report.format = kModelFormat;
  json manifest = read_old(model_directory, dataset);
  manifest.at("format_version").get_to(report.from_format);
  if (report.from_format == kModelFormat) {
    // One of a newer program stays.
    take_values(model_directory / kManifestName,
                [&] { VectorLayout::from_json(manifest.at("layout")); });
    try {
      Model::open(model_directory, dataset, backend);
      progress.end(fmt::format("{} is up to date", model_directory.string()));
      return report;
    } catch (const InputError&) {
      // Its vectors are not those that were written.
    }
  }
  ArtifactWriter writer(Destination(model_directory, stamp_of(model_directory)), kModelArtifact);
  try {
    write_anew(model_directory, std::move(manifest), writer, dataset, backend, progress);
  } catch (...) {
    writer.clear();
    throw;
  }
  report.written = true;
  progress.end(fmt::format("{}: vectors of {} users and {} items", model_directory.string(),
                           dataset.num_users(), dataset.num_items()));
  return report;
}

}  // namespace penchant::pipeline
