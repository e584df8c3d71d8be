// SPDX-License-Identifier: Apache-2.0
// Delimited text without quotes, the shape of almost every log: cut into blocks of whole lines in
// order, and each block into cells by any thread. What needs more rules (a quote, a line break
// other than LF and CRLF, a line longer than a block) is left to Arrow, from the first block that
// has it on. Why Arrow does not read everything: docs/decisions/0016-plain-text.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/tables.h"

namespace penchant::pipeline {

/// Bytes of the file that a block covers, as for Arrow: blocks end with the last line break before
/// a multiple of it.
inline constexpr std::size_t kTextBlock = std::size_t{4} << 20;

/// Whole lines of a file, each with its line break.
struct PlainBlock {
  std::vector<char> bytes;
  std::string_view text;   ///< in `bytes`
  std::size_t place = 0;   ///< in `text`: the first line that is not split yet
  std::int64_t lines = 0;  ///< split so far
  bool crlf = false;       ///< some line ends with CR LF
};

class PlainTextReader {
 public:
  enum class Found { lines, end, other_text };

  /// Throws InputError if the file cannot be opened.
  PlainTextReader(const std::filesystem::path& path, bool skip_first_line, char quote);
  ~PlainTextReader();
  /// The next block. other_text: what follows offset() is not plain; no block after that.
  Found next(PlainBlock& block);
  /// Place in the file behind the last block; 0 before the first one.
  std::int64_t offset() const;
  /// XXH3 hash of the whole file as 16 hex digits, once next() has found its end.
  std::string hash() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where the cells of a line lie.
struct LineShape {
  char separator = ',';
  std::size_t num_fields = 0;
  std::span<const int> wanted;  ///< field of each column of the batch
};

/// Appends the next lines of a block, about `most_bytes` of text, to an empty batch; false if none
/// is left. Lines are counted from 0 at the start of the block. `ends` is working memory.
bool split_plain_lines(PlainBlock& block, const LineShape& shape, std::size_t most_bytes,
                       std::vector<std::uint32_t>& ends, TextBatch& batch);

}  // namespace penchant::pipeline
