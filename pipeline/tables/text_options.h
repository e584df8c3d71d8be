// SPDX-License-Identifier: Apache-2.0
// How delimited text is written, as far as the user says so, and what became of its lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "graph/enum_names.h"

namespace penchant::pipeline {

class Frames;

/// A character with a meaning, such as the quote: given, none, or found from the file.
struct TextMark {
  enum class Kind : std::uint8_t { automatic, none, given };
  constexpr TextMark() = default;
  /// '\0': none.
  constexpr TextMark(char mark)  // NOLINT(google-explicit-constructor): a character is a mark
      : kind(mark == '\0' ? Kind::none : Kind::given), character(mark) {}
  bool is_automatic() const { return kind == Kind::automatic; }
  bool operator==(const TextMark&) const = default;

  Kind kind = Kind::automatic;
  char character = '\0';
};

/// latin1 is ISO-8859-1; windows1252 differs from it in 0x80 to 0x9F (dashes, the euro).
enum class TextEncoding { utf8, latin1, windows1252 };
constexpr auto enum_words(TextEncoding) {
  return std::to_array<EnumWord<TextEncoding>>({{TextEncoding::utf8, "utf-8"},
                                                {TextEncoding::latin1, "latin-1"},
                                                {TextEncoding::windows1252, "windows-1252"}});
}

/// Bytes of text that a block covers, unless a line is longer.
inline constexpr std::size_t kTextBlock = std::size_t{4} << 20;

struct TableReadOptions {
  /// '\0': ',' for .csv, or where its first line has none the ';' or tab it has; '\t' for .tsv;
  /// else the likeliest of the first line.
  char separator = '\0';
  bool header = true;    ///< false: columns are named "1", "2", ...
  TextMark quote = {};   ///< around cells; dialect.h says how it is found
  TextMark escape = {};  ///< takes the meaning of the character behind it
  TextEncoding encoding = TextEncoding::utf8;
  bool all_columns = false;       ///< of Parquet, for TableReader::arrow_batch()
  std::string time_column = {};   ///< where Parquet types it as times: milliseconds since 1970
  bool times_as_numbers = false;  ///< whole numbers and typed times of `time_column` become
                                  ///< TextBatch::times, not cells
  std::size_t block_bytes = kTextBlock;  ///< less only in tests, which then need no large files
  bool withhold_names = false;           ///< of columns, in messages: a first line may be data
  std::shared_ptr<const Frames> frames = {};  ///< tables in memory, whose names stand for paths
};

/// Every line of a text file is one of these. Of a Parquet file: rows, which count as lines.
struct TextCounts {
  std::int64_t lines = 0;
  std::int64_t header_lines = 0;
  std::int64_t blank_lines = 0;         ///< empty, or nothing but blanks or separators
  std::int64_t continuation_lines = 0;  ///< begin inside a quoted cell
  std::int64_t repeated_headers = 0;    ///< equal to the header
  std::int64_t rows = 0;
  std::int64_t malformed = 0;    ///< records that do not split into the right number of fields
  std::int64_t open_quotes = 0;  ///< of the rows: a quote does not close and was read as text
  std::int64_t bytes = 0;        ///< of all these lines

  /// Whether the lines add up.
  bool closes() const {
    return lines ==
           header_lines + blank_lines + continuation_lines + repeated_headers + rows + malformed;
  }
  TextCounts& operator+=(const TextCounts& more) {
    lines += more.lines;
    header_lines += more.header_lines;
    blank_lines += more.blank_lines;
    continuation_lines += more.continuation_lines;
    repeated_headers += more.repeated_headers;
    rows += more.rows;
    malformed += more.malformed;
    open_quotes += more.open_quotes;
    bytes += more.bytes;
    return *this;
  }
};

}  // namespace penchant::pipeline
