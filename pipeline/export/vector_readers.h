// SPDX-License-Identifier: Apache-2.0
// Reading back what vector_files.h writes, also where somebody else wrote it, such as a store that
// the vectors were in: rows in any order, lists of any kind, numbers as text with any digits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/export/embed.h"

namespace penchant::pipeline {

/// Rows one after another. Reused from block to block.
struct VectorBlock {
  std::vector<std::string> ids;
  std::vector<float> numbers;  ///< [rows x D]
};

class VectorReader {
 public:
  virtual ~VectorReader() = default;
  /// Fills the next rows; false at the end. Throws InputError that names file and row (from 1, a
  /// header is none): damage, or a vector of another length than `cols`.
  virtual bool next(VectorBlock& block) = 0;
  /// "float16", "float32", "float64", or "text".
  virtual std::string number_type() const = 0;
};

/// Opens PATH/ENTITY.FORMAT. `cols`: how many numbers a vector must have. Throws InputError: no such
/// file, or what its format does not allow.
std::unique_ptr<VectorReader> open_vectors(const std::filesystem::path& path,
                                           std::string_view entity, EmbeddingFormat format,
                                           std::int64_t cols);

}  // namespace penchant::pipeline
