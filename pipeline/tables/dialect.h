// SPDX-License-Identifier: Apache-2.0
// The dialect of delimited text: which characters separate, quote and escape, where cells and
// records end, and how the dialect is found from a sample (docs/decisions/0028-text-reader.md).
//
// A quote opens a cell only as its first character. The cell counts as quoted if a quote closes it,
// that is, stands before a separator, a line end or the end of the file, within kLongestCell bytes.
// Otherwise the quote is text, and the cell ends at the next separator or line end like any other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
/// Longest quoted cell.
inline constexpr std::size_t kLongestCell = std::size_t{16} << 20;

struct Dialect {
  char separator = ',';
  char quote = '\0';            ///< '\0': none, a quote is text; doubled within a cell it is text
  char escape = '\0';           ///< '\0': none
  bool escape_outside = false;  ///< in cells without quotes too
  bool cr_ends_lines = false;   ///< CR, LF and CR LF (old Macs); else LF and CR LF

  bool ends_line(char c) const { return c == '\n' || (cr_ends_lines && c == '\r'); }
  bool ends_field(char c) const { return c == separator || ends_line(c); }
};

struct Field {
  std::size_t first = 0, last = 0;  ///< its text, without quotes
  std::size_t stop = 0;  ///< the separator or line break behind it, or the end of the text
  bool quoted = false;
  bool has_marks = false;   ///< doubled quotes or escapes to take out
  bool open_quote = false;  ///< begins with a quote that does not close
  bool unknown = false;     ///< whether the quote closes lies behind the text
};

/// The field that begins at `place`. `whole`: nothing follows the text.
Field read_field(std::string_view text, std::size_t place, const Dialect& dialect, bool whole);

/// Behind the line break at `stop`.
inline std::size_t next_record(std::string_view text, std::size_t stop, const Dialect& dialect) {
  const bool pair = dialect.cr_ends_lines && text[stop] == '\r' && stop + 1 < text.size() &&
                    text[stop + 1] == '\n';
  return std::min(text.size(), stop + (pair ? 2 : 1));
}

/// Line breaks of a text.
std::int64_t count_lines(std::string_view text, const Dialect& dialect);

/// The records at the front of a text that are whole.
struct WholeRecords {
  std::size_t size = 0;  ///< bytes; 0 if no record ends in the text
  bool quoted = false;   ///< a quote stands at the beginning of some cell of them, or where none
                         ///< ends of some cell at all
};
WholeRecords find_whole_records(std::string_view text, const Dialect& dialect, bool whole);

/// The first record's end, behind its line break; 0 if it does not end in the text.
std::size_t first_record_end(std::string_view text, const Dialect& dialect, bool whole);

/// Takes doubled quotes and escapes out of a cell, in place; returns its new length.
std::size_t take_out_marks(char* cell, std::size_t size, const Dialect& dialect);

/// A part of a file from the beginning of a record on.
struct TextSample {
  std::string_view text;
  bool whole = false;          ///< nothing follows
  std::size_t num_fields = 0;  ///< 0: as many as the first record has
  bool header = false;         ///< the first record is the header
};

/// Whether a backslash stands before a quote or another backslash.
bool may_have_escapes(std::string_view text, char quote);

struct FoundDialect {
  Dialect dialect;
  bool escape_known = false;  ///< else the sample reads the same with a backslash as escape
};
/// The dialect that explains a sample with quotes best. `base` has the separator and line ends.
/// Marks that are given are followed.
FoundDialect find_dialect(const TextSample& sample, const Dialect& base, TextMark quote,
                          TextMark escape);

/// What a user should know about a dialect that was found, and is not the usual one; else empty.
std::string dialect_note(const Dialect& dialect);

}  // namespace penchant::pipeline
