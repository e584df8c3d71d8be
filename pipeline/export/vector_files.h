// SPDX-License-Identifier: Apache-2.0
// The files of X.embeddings, one entity (items, users) in one format at a time. What each format
// holds: docs/formats.md. Rows are written in blocks: nothing of the size of the matrix is made.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "graph/dictionary.h"
#include "kernels/matrix.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/export/embed.h"
#include "pipeline/tables/vector_readers.h"
#include "pipeline/tables/vector_table.h"

namespace penchant::pipeline {

/// "items.npy"; fbin is items.fbin, or of float16 items.hbin, by which usearch tells the type.
std::string vector_file_name(std::string_view entity, EmbeddingFormat format, EmbeddingType type);
/// "items.ids.jsonl".
std::string ids_file_name(std::string_view entity);
/// Opens PATH/ENTITY.FORMAT. `cols`: how many numbers a vector must have. Throws as
/// open_vector_file() does.
std::unique_ptr<VectorReader> open_vectors(const std::filesystem::path& path,
                                           std::string_view entity, EmbeddingFormat format,
                                           std::int64_t cols);

/// Vectors of one entity, row i of the raw id i, in host memory.
struct NamedVectors {
  std::string entity;  ///< "items"
  const graph::Dictionary& ids;
  kernels::ConstFloatView vectors;
  EmbeddingType type = EmbeddingType::float32;
  VectorFacts facts;  ///< for formats with a place for them: parquet, arrow, safetensors
};

/// Writes a file, whole or not at all. Throws InputError: it cannot be written, or the format
/// cannot hold this (an infinite number as text, a zero byte in an id or 16,001 numbers in
/// PostgreSQL).
void write_vectors(const std::filesystem::path& path, EmbeddingFormat format,
                   const NamedVectors& vectors, Progress& progress);
/// One JSON string a line: raw ids may hold commas, quotes and line breaks.
void write_ids(const std::filesystem::path& path, const graph::Dictionary& ids);

}  // namespace penchant::pipeline
