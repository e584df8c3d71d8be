// SPDX-License-Identifier: Apache-2.0
// X.model -> X.embeddings: vectors of every item and user with raw ids.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/enum_names.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"
#include "pipeline/tables/vector_readers.h"

namespace penchant::pipeline {

enum class EmbeddingType { float32, float16 };
constexpr auto enum_words(EmbeddingType) {
  return std::to_array<EnumWord<EmbeddingType>>(
      {{EmbeddingType::float32, "float32"}, {EmbeddingType::float16, "float16"}});
}

/// By which a user's vector finds items, in the word that stores have for it.
inline constexpr const char* kEmbeddingMetric = "inner_product";

struct EmbedOptions {
  std::vector<EmbeddingFormat> formats = {EmbeddingFormat::npy};
  EmbeddingType type = EmbeddingType::float32;
};

/// Formats by their names, each once; `both` is npy and parquet. `key` is what messages call them.
/// Throws InputError: an unknown name, or none.
std::vector<EmbeddingFormat> embedding_formats(std::span<const std::string> names,
                                               std::string_view key);

/// Writes the files of each format for the items and the users, in blocks of rows
/// (docs/formats.md).
void embed(const Model& model, const EmbedOptions& options, const Destination& destination,
           Progress& progress);

}  // namespace penchant::pipeline
