// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy format, version 1.0 (numpy.lib.format): little-endian, C order, 1-D or 2-D. The
// storage of every numeric column in our artefacts, so that `numpy.load(path, mmap_mode="r")` opens
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "graph/mapped_file.h"

namespace penchant::graph {

// The element types we write: int8 |i1, int32 <i4, int64 <i8, float32 <f4, float16 <f2 (held as
// uint16 bits).

/// Header text for a shape, padded to 64 bytes. `descr` such as "<f4".
std::string npy_header(std::string_view descr, std::span<const std::int64_t> shape);

template <typename T>
void write_npy(std::ostream& out, std::span<const T> values, std::span<const std::int64_t> shape);

/// Reads a 1-D array. Throws InputError naming the file: not .npy, another element type or
/// dimension, truncated.
template <typename T>
std::vector<T> read_npy(const std::filesystem::path& path);

/// A file of one or two dimensions where it lies (graph/mapped_file.h).
template <typename T>
class MappedNpy {
 public:
  /// Throws InputError naming the file: not .npy, another element type, Fortran order, a length
  /// that its header does not say.
  explicit MappedNpy(const std::filesystem::path& path);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }  ///< 1 of one dimension
  std::span<const T> values() const { return values_; }

 private:
  MappedFile file_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::span<const T> values_;
};

}  // namespace penchant::graph
