// SPDX-License-Identifier: Apache-2.0
// X.model -> X.embeddings: vectors of every item and user with raw ids.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "graph/enum_names.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

enum class EmbeddingType { float32, float16 };
constexpr auto enum_words(EmbeddingType) {
  return std::to_array<EnumWord<EmbeddingType>>(
      {{EmbeddingType::float32, "float32"}, {EmbeddingType::float16, "float16"}});
}

struct EmbedOptions {
  bool npy = true;
  bool parquet = false;
  EmbeddingType type = EmbeddingType::float32;
};

/// Adds a format by its name: npy, parquet or both. `key` is what messages call it.
void add_embedding_format(EmbedOptions& options, std::string_view name, std::string_view key);

/// Writes items.npy and users.npy with items.ids.jsonl and users.ids.jsonl, or items.parquet and
/// users.parquet, or both, in blocks of rows (docs/formats.md).
void embed(const Model& model, const EmbedOptions& options, const Destination& destination,
           Progress& progress);

}  // namespace penchant::pipeline
