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
#include "pipeline/export/embedding_rows.h"

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
  json manifest = describe_embeddings(model, options.type);
  struct OfEntity {
    const char* name;
    const graph::Dictionary* dictionary;
    ConstFloatView vectors;
  };
  kernels::Download<float> download;
  json contents = json::array();
  for (const OfEntity& entity : {OfEntity{kEntities[0], &dataset.items, model.items()},
                                 OfEntity{kEntities[1], &dataset.users, model.users()}}) {
    const NamedVectors vectors{entity.name, *entity.dictionary,
                               download(entity.vectors, model.backend()), options.type,
                               facts_of(manifest, entity.name, kVersion)};
    write_entity(out, vectors, options.formats, contents, progress);
  }
  manifest["contents"] = std::move(contents);
  std::string validation = "what validation says of them is not known";
  if (const auto& known = model.validation())
    validation = fmt::format("{} {:.4f} on validation", known->metric, known->value);
  writer.finish(std::move(manifest));
  progress.end(fmt::format("{} items and {} users, {} numbers each, in {}; {}", dataset.num_items(),
                           dataset.num_users(), model.layout().width(), destination.path.string(),
                           validation));
}

}  // namespace penchant::pipeline
