// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/embedding_rows.h"

#include <algorithm>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/export/vector_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

json describe_embeddings(const Model& model, EmbeddingType type) {
  const Dataset& dataset = model.dataset();
  const VectorLayout& layout = model.layout();
  json described = {{"num_items", dataset.num_items()},
                    {"num_users", dataset.num_users()},
                    {"dimension", layout.width()},
                    {"dtype", enum_name(type)},
                    {"normalized", layout.normalized},
                    {"new_item_columns", layout.new_item_columns},
                    {"popularity_column", layout.popularity_column},
                    {"score", "inner product"},
                    {"metric", kEmbeddingMetric},
                    {"model_hash", model.hash()},
                    {"model", model.name()},
                    {"data_hash", dataset.hash}};
  if (const auto& known = model.validation()) {
    described["validation"] = {{"metric", known->metric},
                               {"value", known->value},
                               {"ranking", enum_name(Ranking::vectors)}};
  }
  return described;
}

VectorFacts facts_of(const json& described, std::string_view entity, std::string_view version) {
  const auto text = [&](const char* key) { return described.at(key).get<std::string>(); };
  const auto word = [&](const char* key) {
    return described.at(key).get<bool>() ? "true" : "false";
  };
  const auto number = [&](const char* key) {
    return fmt::format("{}", described.at(key).get<std::int64_t>());
  };
  VectorFacts facts = {{"penchant.vectors", std::string(entity)},
                       {"penchant.version", std::string(version)},
                       {"penchant.score", text("score")},
                       {"penchant.metric", text("metric")},
                       {"penchant.width", number("dimension")},
                       {"penchant.dtype", text("dtype")},
                       {"penchant.normalized", word("normalized")},
                       {"penchant.new_item_columns", number("new_item_columns")},
                       {"penchant.popularity_column", word("popularity_column")},
                       {"penchant.model", text("model")},
                       {"penchant.model_hash", text("model_hash")},
                       {"penchant.data_hash", text("data_hash")}};
  if (described.contains("kept"))
    facts.emplace_back("penchant.kept_rows", described["kept"].at(entity).dump());
  return facts;
}

void write_entity(const fs::path& folder, const NamedVectors& vectors,
                  const std::vector<EmbeddingFormat>& formats, json& contents, Progress& progress) {
  for (const EmbeddingFormat format : formats) {
    const std::string file = vector_file_name(vectors.entity, format, vectors.type);
    write_vectors(folder / file, format, vectors, progress);
    contents.push_back({{"file", file},
                        {"entity", vectors.entity},
                        {"format", enum_name(format)},
                        {"metric", kEmbeddingMetric},
                        {"dtype", enum_name(vectors.type)},
                        {"shape", {vectors.vectors.rows, vectors.vectors.cols}}});
    if (has_ids_beside(format)) contents.back()["ids"] = ids_file_name(vectors.entity);
  }
  if (std::any_of(formats.begin(), formats.end(), has_ids_beside))
    write_ids(folder / ids_file_name(vectors.entity), vectors.ids);
}

namespace {

/// The one that is read fastest; all hold the same rows.
EmbeddingFormat fastest(const std::vector<EmbeddingFormat>& formats) {
  for (const EmbeddingFormat format :
       {EmbeddingFormat::npy, EmbeddingFormat::fbin, EmbeddingFormat::safetensors,
        EmbeddingFormat::arrow, EmbeddingFormat::parquet}) {
    if (std::find(formats.begin(), formats.end(), format) != formats.end()) return format;
  }
  return formats.front();
}

EntityRows read_entity(const fs::path& folder, const char* entity, EmbeddingFormat format,
                       std::int64_t num_rows, std::int64_t cols, Progress& progress) {
  EntityRows rows;
  rows.cols = cols;
  rows.ids.reserve(num_rows);
  rows.numbers.reserve(static_cast<std::size_t>(num_rows * cols));
  const auto reader = open_vectors(folder, entity, format, cols);
  VectorBlock block;
  while (reader->next(block)) {
    for (const std::string& raw : block.ids) {
      const std::int64_t row = rows.ids.size();
      if (rows.ids.intern(raw) != row) {
        throw InputError(fmt::format("{}: the id '{}' of {} is there twice", folder.string(),
                                     printable(raw), entity));
      }
    }
    rows.numbers.insert(rows.numbers.end(), block.numbers.begin(), block.numbers.end());
    progress.update(rows.ids.size(), num_rows, entity);
    stop_if_asked(progress);
  }
  if (rows.ids.size() != num_rows) {
    throw InputError(fmt::format("{}: {} {}, and its manifest says {}", folder.string(),
                                 rows.ids.size(), entity, num_rows));
  }
  return rows;
}

}  // namespace

StoredEmbeddings read_embeddings(const fs::path& folder, Progress& progress) {
  return read_whole(folder, [&] {
    StoredEmbeddings read;
    read.manifest = read_manifest(folder, kEmbeddingsArtifact);
    check_files(folder, kEmbeddingsArtifact, read.manifest);
    if (!read.manifest.contains("contents")) {
      throw InputError(fmt::format(
          "{}: written by an earlier version, whose manifest does not say what is in the files; "
          "write it anew with embed",
          folder.string()));
    }
    for (const json& each : read.manifest["contents"]) {
      if (each.at("entity") == kEntities[0])
        read.formats.push_back(
            parse_enum<EmbeddingFormat>(each.at("format").get<std::string>(), "manifest.json"));
    }
    if (read.formats.empty())
      throw InputError(fmt::format("{}: its manifest names no vectors", folder.string()));
    read.type =
        parse_enum<EmbeddingType>(read.manifest.at("dtype").get<std::string>(), "manifest.json");
    const auto cols = read.manifest.at("dimension").get<std::int64_t>();
    const EmbeddingFormat format = fastest(read.formats);
    read.items = read_entity(folder, kEntities[0], format,
                             read.manifest.at("num_items").get<std::int64_t>(), cols, progress);
    read.users = read_entity(folder, kEntities[1], format,
                             read.manifest.at("num_users").get<std::int64_t>(), cols, progress);
    return read;
  });
}

AsStored::AsStored(kernels::ConstFloatView vectors, EmbeddingType type) : view_(vectors) {
  if (type == EmbeddingType::float32) return;
  rounded_.reserve(static_cast<std::size_t>(vectors.rows * vectors.cols));
  for (std::int64_t i = 0; i < vectors.rows; ++i) {
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      rounded_.push_back(graph::from_half(graph::to_half(vectors(i, j))));
  }
  view_ = {rounded_.data(), vectors.rows, vectors.cols, vectors.cols, kernels::Device::cpu};
}

std::string rows_hash(const EntityRows& rows) {
  const kernels::ConstFloatView view = rows.view();
  return rows_hash(rows.ids, rows.cols, [&](std::int64_t i) { return view.row(i); });
}

}  // namespace penchant::pipeline
