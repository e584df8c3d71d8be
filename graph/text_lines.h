// SPDX-License-Identifier: Apache-2.0
// Internal to graph/: lines and words of the text formats of graphs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct gzFile_s;

namespace penchant::graph {

/// Lines of a text file, plain or gzip.
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path);
  /// False at the end. The line lives until the next call.
  bool next(std::string_view& line);
  /// The next line that is not empty and does not begin with one of `marks`.
  bool next_content(std::string_view marks, std::string_view& line);
  /// Bytes of the file that have been read, and of text that they held.
  std::int64_t packed_bytes() const;
  std::int64_t text_bytes() const { return text_bytes_; }
  /// Throws InputError that names file and line.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  void refill();

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile_s*)> file_;
  std::vector<char> buffer_;
  std::ptrdiff_t first_ = 0, last_ = 0;
  std::int64_t number_ = 0;
  std::int64_t text_bytes_ = 0;
  bool ended_ = false;
};

/// Words of a line, separated by blanks, tabs and commas.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::optional<std::string_view> next();
  /// An integer in [least, most]; `what` names it in the message.
  std::int64_t integer(const LineReader& lines, const char* what, std::int64_t least,
                       std::int64_t most);

 private:
  std::string_view rest_;
};

}  // namespace penchant::graph
