// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/embed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/npy.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;
using nlohmann::json;

namespace {

constexpr std::int64_t kRowsPerBlock = 16384;

/// IEEE 754 half precision, round to nearest even.
std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::abs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 6.103515625e-5F) {  // subnormal halves are multiples of 2^-24
    return static_cast<std::uint16_t>(
        sign | static_cast<std::uint16_t>(std::nearbyint(magnitude * 16777216.0F)));
  }
  const std::uint32_t rebased = (bits & 0x7FFFFFFFU) - (112U << 23);
  return static_cast<std::uint16_t>(sign | ((rebased + 0xFFFU + ((rebased >> 13) & 1U)) >> 13));
}

void write_npy_matrix(const fs::path& path, ConstFloatView matrix, EmbeddingType type,
                      Progress& progress) {
  const std::int64_t shape[] = {matrix.rows, matrix.cols};
  const bool half = type == EmbeddingType::float16;
  write_file_atomically(path, [&](std::ostream& out) {
    const std::string header = graph::npy_header(half ? "<f2" : "<f4", shape);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(matrix.cols));
    for (std::int64_t i = 0; i < matrix.rows; ++i) {
      if (half) {
        std::transform(matrix.row(i), matrix.row(i) + matrix.cols, halves.begin(), to_half);
        out.write(reinterpret_cast<const char*>(halves.data()),
                  static_cast<std::streamsize>(halves.size() * sizeof(std::uint16_t)));
      } else {
        out.write(
            reinterpret_cast<const char*>(matrix.row(i)),
            static_cast<std::streamsize>(static_cast<std::size_t>(matrix.cols) * sizeof(float)));
      }
      if (i % kRowsPerBlock == 0) {
        progress.update(i, matrix.rows, path.filename().string());
        stop_if_asked(progress);
      }
    }
  });
}

/// One JSON string a line: raw ids may hold commas, quotes and line breaks.
void write_ids(const fs::path& path, const graph::Dictionary& dictionary) {
  write_file_atomically(path, [&](std::ostream& out) {
    for (std::int64_t id = 0; id < dictionary.size(); ++id)
      out << json(std::string(dictionary.raw(static_cast<NodeId>(id)))).dump() << '\n';
  });
}

void write_parquet(const fs::path& path, const graph::Dictionary& dictionary, ConstFloatView matrix,
                   EmbeddingType type, Progress& progress) {
  ParquetWriter writer(path);
  std::int64_t first = 0;
  do {
    const std::int64_t count = std::min(kRowsPerBlock, matrix.rows - first);
    std::vector<std::string_view> raws;
    for (std::int64_t id = first; id < first + count; ++id)
      raws.push_back(dictionary.raw(static_cast<NodeId>(id)));
    writer.write(count, {{"raw_id", raws},
                         {"vector", VectorColumn{matrix.row(first), matrix.cols, matrix.stride,
                                                 type == EmbeddingType::float16}}});
    first += count;
    progress.update(first, matrix.rows, path.filename().string());
    stop_if_asked(progress);
  } while (first < matrix.rows);
  writer.close();
}

}  // namespace

void add_embedding_format(EmbedOptions& options, std::string_view name, std::string_view key) {
  if (name != "npy" && name != "parquet" && name != "both")
    throw InputError(fmt::format("{}: '{}', expected npy or parquet, or both", key, name));
  options.npy = options.npy || name != "parquet";
  options.parquet = options.parquet || name != "npy";
}

void embed(const Model& model, const EmbedOptions& options, const Destination& destination,
           Progress& progress) {
  progress.begin("embed");
  require_vectors(model, "embed");
  if (!options.npy && !options.parquet)
    throw InputError("embed: no format chosen, expected npy, parquet or both");
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
  for (Entity entity : {Entity{"items", &dataset.items, model.items()},
                        Entity{"users", &dataset.users, model.users()}}) {
    const std::string name = entity.name;
    entity.vectors = download(entity.vectors, model.backend());
    if (options.npy) {
      write_npy_matrix(out / (name + ".npy"), entity.vectors, options.type, progress);
      write_ids(out / (name + ".ids.jsonl"), *entity.dictionary);
    }
    if (options.parquet) {
      write_parquet(out / (name + ".parquet"), *entity.dictionary, entity.vectors, options.type,
                    progress);
    }
  }
  json manifest = {{"num_items", dataset.num_items()},
                   {"num_users", dataset.num_users()},
                   {"dimension", layout.width()},
                   {"dtype", enum_name(options.type)},
                   {"normalized", layout.normalized},
                   {"new_item_columns", layout.new_item_columns},
                   {"popularity_column", layout.popularity_column},
                   {"score", "inner product"},
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
