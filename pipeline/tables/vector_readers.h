// SPDX-License-Identifier: Apache-2.0
// Vectors beside raw ids, whoever wrote them: what export/vector_files.h writes, what a store gave
// back, or what an encoder of pictures or text made: rows in any order, lists of any kind, numbers as
// text with any digits.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graph/enum_names.h"

namespace penchant::pipeline {

/// docs/formats.md says what each holds.
enum class EmbeddingFormat { npy, parquet, arrow, safetensors, fbin, jsonl, csv, pgcopy, pgvector };
constexpr auto enum_words(EmbeddingFormat) {
  return std::to_array<EnumWord<EmbeddingFormat>>({{EmbeddingFormat::npy, "npy"},
                                                   {EmbeddingFormat::parquet, "parquet"},
                                                   {EmbeddingFormat::arrow, "arrow"},
                                                   {EmbeddingFormat::safetensors, "safetensors"},
                                                   {EmbeddingFormat::fbin, "fbin"},
                                                   {EmbeddingFormat::jsonl, "jsonl"},
                                                   {EmbeddingFormat::csv, "csv"},
                                                   {EmbeddingFormat::pgcopy, "pgcopy"},
                                                   {EmbeddingFormat::pgvector, "pgvector"}});
}

/// A file of vectors.
struct VectorFile {
  std::filesystem::path path;
  EmbeddingFormat format = EmbeddingFormat::npy;
  /// Of a format of numbers alone (has_ids_beside): the raw ids, a line each, as JSON strings.
  std::filesystem::path ids = {};
  bool missing_allowed = false;  ///< of Parquet and Arrow: rows without a vector are left out
  bool plain_ids = false;        ///< lines that are no JSON strings are ids as they stand
  std::string tensor = {};       ///< of safetensors; not needed where there is only one
  std::int64_t cols = 0;         ///< numbers that a vector must have; 0: as many as the first one
  std::string id_column = "raw_id", vector_column = "vector";  ///< of tables
};

/// Whether a format holds numbers alone, so that raw ids stand in a file of their own.
bool has_ids_beside(EmbeddingFormat format);

/// Rows one after another. Reused from block to block.
struct VectorBlock {
  std::vector<std::string> ids;
  std::vector<float> numbers;    ///< [rows x D]
  std::int64_t num_missing = 0;  ///< rows besides, without a vector, where these are allowed
};

class VectorReader {
 public:
  virtual ~VectorReader() = default;
  /// Fills the next rows, which may be none; false at the end. Throws InputError that names file and row (from 1, a
  /// header is none): damage, or a vector of another length than `cols`.
  virtual bool next(VectorBlock& block) = 0;
  /// "float16", "float32", "float64", or "text".
  virtual std::string number_type() const = 0;
};

/// Throws InputError: no such file, or what its format does not allow.
std::unique_ptr<VectorReader> open_vector_file(const VectorFile& file);

}  // namespace penchant::pipeline
