// SPDX-License-Identifier: Apache-2.0
// Delimited text from its first byte to blocks of whole records: finds line ends, separator, header
// and dialect, cuts the file in order, and leaves the cells to plain_text.h and quoted_text.h.
// Every byte goes into exactly one block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pipeline/tables/text_block.h"
#include "pipeline/tables/text_source.h"

namespace penchant::pipeline {

/// Longest line or record.
inline constexpr std::size_t kLongestRecord = std::size_t{256} << 20;

class TextReader {
 public:
  /// Throws InputError: no line with text, not text, a header or first line that does not end.
  TextReader(const std::filesystem::path& path, FileKind kind, const TableReadOptions& options);
  ~TextReader();
  /// Of the header, or "1", "2", ...
  const std::vector<std::string>& names() const;
  /// The next block; false at the end. Throws InputError: a record longer than kLongestRecord.
  bool fetch(TextBlock& block);
  /// The next rows of a block; false if none is left. `ends` is working memory.
  bool split(TextBlock& block, std::span<const int> wanted, std::size_t most_bytes,
             std::vector<std::uint32_t>& ends, TextBatch& batch) const;
  /// The lines before the first block: the header, and blank lines before it.
  const TextCounts& front() const;
  /// Bytes of all blocks and of the lines before them; known at the end.
  std::int64_t num_bytes() const;
  bool at_end() const;
  /// About how many blocks the file has; 0 where that is not known.
  std::size_t expected_blocks() const;
  std::string hash() const;
  /// dialect_note() of the dialect of the blocks fetched so far.
  std::string note() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
