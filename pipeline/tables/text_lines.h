// SPDX-License-Identifier: Apache-2.0
// Lines of a text file as its writer meant them: unpacked (gzip, zstd), without a byte order mark,
// and whatever ends them (LF, CR LF, CR).
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string_view>

namespace penchant::pipeline {

class TextLines {
 public:
  /// Throws InputError: missing or empty file, a file of another kind than text.
  explicit TextLines(const std::filesystem::path& path);
  ~TextLines();
  /// The next line without its end; valid until the next call. False behind the last one. Throws
  /// InputError for a damaged packed file.
  bool next(std::string_view& line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether there is nothing in a file, once it is unpacked: no line and no column. Throws
/// InputError if it cannot be read.
bool holds_nothing(const std::filesystem::path& path);

/// Splits at single separators; what is empty between two of them is left out.
template <typename Visit>
void for_each_piece(std::string_view text, std::string_view separator, Visit visit) {
  std::size_t first = 0;
  while (first <= text.size()) {
    const std::size_t last = std::min(text.find(separator, first), text.size());
    if (last > first) visit(text.substr(first, last - first));
    first = last + separator.size();
  }
}

}  // namespace penchant::pipeline
