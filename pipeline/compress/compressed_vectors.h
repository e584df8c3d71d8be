// SPDX-License-Identifier: Apache-2.0
// X.model -> X.compressed: vectors of every item and user in fewer bytes, with raw ids, and what
// that costs. Formats: docs/formats.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "graph/enum_names.h"
#include "graph/random.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

inline constexpr const char* kCompressedArtifact = "compressed";

enum class VectorCompression { int8, pq };
constexpr auto enum_words(VectorCompression) {
  return std::to_array<EnumWord<VectorCompression>>(
      {{VectorCompression::int8, "int8"}, {VectorCompression::pq, "pq"}});
}

struct CompressOptions {
  VectorCompression vectors = VectorCompression::int8;
  /// Of pq: bytes of an item's code. Absent: as many as make items 16 times smaller, codebooks
  /// counted.
  std::optional<std::int64_t> code_bytes;
  graph::Seed seed{42};
};

/// `before_validation`: the same model whose users are known by training rows alone, by which it is
/// judged; null where that is the same. Writes the files and returns what they are and what
/// validation says of them (docs/small_models.md). Throws InputError: a model without vectors, fewer items than pq needs, a code of more bytes than
/// the vectors have numbers or larger with its codebooks than what it stands for, code_bytes with
/// int8, `destination` as ArtifactWriter does.
nlohmann::json compress_vectors(const Model& model, const CompressOptions& options,
                                const Destination& destination, Progress& progress,
                                const Model* before_validation = nullptr);

}  // namespace penchant::pipeline
