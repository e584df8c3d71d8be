// SPDX-License-Identifier: Apache-2.0
// Tensors on disk in the safetensors format (8 bytes header length, JSON header, raw little-endian
// data): no pickle, and readable by the `safetensors` package of Python. Our files carry the XXH3
// hash of the data in the header's metadata, so that damage is noticed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ids.h"
#include "graph/mapped_file.h"
#include "kernels/matrix.h"

namespace penchant::models {

/// A float32 matrix in host memory, by name.
struct NamedTensor {
  std::string name;
  kernels::ConstFloatView value;
  /// Row i of the file is row rows[i] of `value`; empty: the rows as they stand.
  std::span<const graph::NodeId> rows = {};

  const float* row(std::int64_t i) const {
    return value.row(rows.empty() ? i : rows[static_cast<std::size_t>(i)]);
  }
};

void write_safetensors(std::ostream& out, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata);

struct TensorWriting {
  bool half = false;  ///< as float16, rounded to nearest even
  /// Called between blocks of rows, with how many rows of a tensor are done; may throw.
  std::function<void(std::int64_t)> watch = {};
};
void write_safetensors(std::ostream& out, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata,
                       const TensorWriting& writing);

struct LoadedTensor {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<float> data;        ///< row-major, dense
  const float* mapped = nullptr;  ///< instead of `data`, in TensorFile::file

  kernels::ConstFloatView view() const {
    return {mapped != nullptr ? mapped : data.data(), rows, cols, cols, kernels::Device::cpu};
  }
};

struct TensorFile {
  std::shared_ptr<const graph::MappedFile> file;  ///< of tensors that are mapped
  std::map<std::string, std::string> metadata;
  std::vector<LoadedTensor> tensors;

  /// Throws InputError (naming `path`) if the tensor is missing or has another shape.
  const LoadedTensor& find(const std::string& name, std::int64_t rows, std::int64_t cols,
                           const std::filesystem::path& path) const;
  /// The same for weights, which must be finite.
  const LoadedTensor& find_finite(const std::string& name, std::int64_t rows, std::int64_t cols,
                                  const std::filesystem::path& path) const;
};

/// Throws InputError: cannot be read, not safetensors, cut off, or the hash does not agree.
TensorFile read_safetensors(const std::filesystem::path& path);
/// The same, mapped, without a look at the data: for look-ups, which need little of it.
TensorFile map_safetensors(const std::filesystem::path& path);

/// A tensor of any type and shape as it lies in a mapped file.
struct PlainTensor {
  std::string name, dtype;  ///< dtype as the format has it, such as "F32"
  std::vector<std::int64_t> shape;
  std::string_view bytes;
};
struct PlainTensorFile {
  std::shared_ptr<const graph::MappedFile> file;
  std::vector<PlainTensor> tensors;
};
/// A file that anybody wrote: without metadata and hash too. Throws InputError: cannot be read, not
/// safetensors, cut off.
PlainTensorFile map_any_safetensors(const std::filesystem::path& path);

}  // namespace penchant::models
