// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/embed.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/version.h"
#include "pipeline/export/vector_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::ConstFloatView;
using nlohmann::json;

std::vector<EmbeddingFormat> embedding_formats(std::span<const std::string> names,
                                               std::string_view key) {
  std::vector<EmbeddingFormat> formats;
  const auto add = [&](EmbeddingFormat format) {
    if (std::find(formats.begin(), formats.end(), format) == formats.end())
      formats.push_back(format);
  };
  for (const std::string& name : names) {
    if (name == "both") {
      add(EmbeddingFormat::npy);
      add(EmbeddingFormat::parquet);
      continue;
    }
    const auto words = enum_words(EmbeddingFormat{});
    const auto* const known = std::find_if(words.begin(), words.end(),
                                           [&](const auto& word) { return word.second == name; });
    if (known == words.end()) {
      throw InputError(fmt::format("{}: '{}', expected {}, or both (npy and parquet)", key, name,
                                   all_enum_names<EmbeddingFormat>()));
    }
    add(known->first);
  }
  return formats;
}

namespace {

/// What a file with a place for it says of its vectors, with the keys of lists (many_lists.cc).
VectorFacts facts_of(const Model& model, const char* entity, EmbeddingType type) {
  const VectorLayout& layout = model.layout();
  const auto word = [](bool value) { return value ? "true" : "false"; };
  return {{"penchant.vectors", entity},
          {"penchant.version", kVersion},
          {"penchant.score", "inner product"},
          {"penchant.metric", kEmbeddingMetric},
          {"penchant.width", fmt::format("{}", layout.width())},
          {"penchant.dtype", enum_name(type)},
          {"penchant.normalized", word(layout.normalized)},
          {"penchant.new_item_columns", fmt::format("{}", layout.new_item_columns)},
          {"penchant.popularity_column", word(layout.popularity_column)},
          {"penchant.model", model.name()},
          {"penchant.model_hash", model.hash()},
          {"penchant.data_hash", model.dataset().hash}};
}

}  // namespace

void embed(const Model& model, const EmbedOptions& options, const Destination& destination,
           Progress& progress) {
  progress.begin("embed");
  require_vectors(model, "embed");
  if (options.formats.empty()) {
    throw InputError(fmt::format("embed: no format chosen, expected {}, or both (npy and parquet)",
                                 all_enum_names<EmbeddingFormat>()));
  }
  ArtifactWriter writer(destination, kEmbeddingsArtifact);
  writer.clear();
  const fs::path& out = writer.folder();
  const Dataset& dataset = model.dataset();
  const VectorLayout& layout = model.layout();
  struct Entity {
    const char* name;
    const graph::Dictionary* dictionary;
    ConstFloatView vectors;
  };
  kernels::Download<float> download;
  json contents = json::array();
  for (const Entity& entity : {Entity{"items", &dataset.items, model.items()},
                               Entity{"users", &dataset.users, model.users()}}) {
    const NamedVectors vectors{entity.name, *entity.dictionary,
                               download(entity.vectors, model.backend()), options.type,
                               facts_of(model, entity.name, options.type)};
    for (const EmbeddingFormat format : options.formats) {
      const std::string file = vector_file_name(entity.name, format, options.type);
      write_vectors(out / file, format, vectors, progress);
      contents.push_back({{"file", file},
                          {"entity", entity.name},
                          {"format", enum_name(format)},
                          {"metric", kEmbeddingMetric},
                          {"dtype", enum_name(options.type)},
                          {"shape", {vectors.vectors.rows, vectors.vectors.cols}}});
      if (has_ids_beside(format)) contents.back()["ids"] = ids_file_name(entity.name);
    }
    if (std::any_of(options.formats.begin(), options.formats.end(), has_ids_beside))
      write_ids(out / ids_file_name(entity.name), *entity.dictionary);
  }
  json manifest = {{"num_items", dataset.num_items()},
                   {"num_users", dataset.num_users()},
                   {"dimension", layout.width()},
                   {"dtype", enum_name(options.type)},
                   {"normalized", layout.normalized},
                   {"new_item_columns", layout.new_item_columns},
                   {"popularity_column", layout.popularity_column},
                   {"score", "inner product"},
                   {"metric", kEmbeddingMetric},
                   {"contents", std::move(contents)},
                   {"model_hash", model.hash()},
                   {"model", model.name()},
                   {"data_hash", dataset.hash}};
  std::string validation = "what validation says of them is not known";
  if (const auto& known = model.validation()) {
    manifest["validation"] = {{"metric", known->metric},
                              {"value", known->value},
                              {"ranking", enum_name(Ranking::vectors)}};
    validation = fmt::format("{} {:.4f} on validation", known->metric, known->value);
  }
  writer.finish(std::move(manifest));
  progress.end(fmt::format("{} items and {} users, {} numbers each, in {}; {}", dataset.num_items(),
                           dataset.num_users(), layout.width(), destination.path.string(),
                           validation));
}

}  // namespace penchant::pipeline
