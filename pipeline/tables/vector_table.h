// SPDX-License-Identifier: Apache-2.0
// Vectors beside their raw ids as a table with the columns raw_id and vector: Parquet, or Arrow's
// file format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

enum class VectorTableKind { parquet, arrow };

/// What is known of the vectors, for the schema's metadata: keys and values.
using VectorFacts = std::vector<std::pair<std::string, std::string>>;

/// A table that is whole or absent: destroyed before commit() it leaves nothing.
class VectorTableWriter {
 public:
  /// Throws InputError, as write() and commit() do, that names the file and the system's reason.
  VectorTableWriter(const std::filesystem::path& path, VectorTableKind kind, VectorFacts facts);
  ~VectorTableWriter();
  /// `vectors` has as many rows as there are ids. All blocks have one width. At least one is
  /// written, which may be empty.
  void write(std::vector<std::string_view> ids, const VectorColumn& vectors);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads such a table, whoever wrote it: a vector is a list, large list or list of fixed size of
/// halves, floats or doubles (which become floats), an id is a cell of any type that has a text.
class VectorTableReader {
 public:
  /// Throws InputError: it cannot be read, or has no such columns of such types.
  VectorTableReader(const std::filesystem::path& path, VectorTableKind kind,
                    const std::string& id_column = "raw_id",
                    const std::string& vector_column = "vector");
  ~VectorTableReader();
  /// Appends the ids and vectors of the next rows; false at the end. `lengths`: numbers of each
  /// vector, -1 of one that is null. Throws InputError: damage, or an id or number that is null, with
  /// its row, from 1.
  bool next(std::vector<std::string>& ids, std::vector<float>& numbers,
            std::vector<std::int64_t>& lengths);
  /// Of the numbers: "float16", "float32" or "float64".
  const std::string& number_type() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
