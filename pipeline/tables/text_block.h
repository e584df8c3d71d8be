// SPDX-License-Identifier: Apache-2.0
// A piece of delimited text on its way from the reader to the cells: whole records, which any
// thread may split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pipeline/tables/dialect.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

struct TextBlock {
  std::vector<char> bytes;
  std::size_t first = 0,
              last = 0;           ///< the records, in `bytes`; the last one ends with a line break
  std::size_t place = 0;          ///< the first record that is not split yet
  std::int64_t lines = 0;         ///< split so far
  std::int64_t lines_left = 0;    ///< quoted text: line breaks behind `place`
  bool carriage_returns = false;  ///< some line may end with CR LF
  bool plain = true;              ///< lines are records and cells are as they stand
  Dialect dialect;
};

/// Where the cells of a record lie.
struct TextShape {
  std::size_t num_fields = 0;
  std::span<const int> wanted;  ///< field of each column of the batch
  std::string_view header;      ///< the header without its line end; empty: there is none
};

/// True for a line equal to the header, or to one behind a byte order mark: files put together.
inline bool repeats_header(std::string_view line, std::string_view header) {
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  return !header.empty() && line == header;
}

/// A line of a table with several columns that has blanks only.
inline bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace penchant::pipeline
