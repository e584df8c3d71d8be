// SPDX-License-Identifier: Apache-2.0
// The bytes of a text file: unpacked (gzip, zstd, bzip2, LZ4; any number of members, streams or
// frames), converted to UTF-8, and hashed as they lie on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

enum class FileKind { text, gzip, zstd, bzip2, lz4, parquet };

/// Recognises a file by its first bytes. Throws InputError: missing, a folder, empty, or of a kind
/// that is not read (zip, Excel, JSON, UTF-16, ...), which it names together with the way out.
FileKind file_kind(const std::filesystem::path& path);

/// Throws InputError if the first bytes of a text, unpacked or not, are not those of delimited
/// text.
void refuse_other_kinds(const std::filesystem::path& path, std::string_view start);

class TextSource {
 public:
  TextSource(const std::filesystem::path& path, FileKind kind, TextEncoding encoding);
  ~TextSource();
  /// Up to `size` next bytes; 0 only at the end. Throws InputError: damaged or cut off.
  std::size_t read(char* to, std::size_t size);
  /// XXH3 hash of the file as it lies on disk, as 16 hex digits; known at the end.
  std::string hash() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
