// SPDX-License-Identifier: Apache-2.0
// Text as a cell of CSV.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// Who reads a file. A spreadsheet takes a cell that begins with one of = + - @, tab or carriage
/// return for a formula, which may send what stands beside it elsewhere (OWASP, "CSV Injection").
enum class CsvReader { program, spreadsheet };
/// By the name: NAME.sheet.csv is for spreadsheets.
inline CsvReader csv_reader_of(const std::filesystem::path& path) {
  return path.filename().string().ends_with(".sheet.csv") ? CsvReader::spreadsheet
                                                          : CsvReader::program;
}

/// Whether a spreadsheet would compute a text that is no number.
inline bool is_formula(std::string_view text) {
  return !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != text.npos &&
         text.find_first_not_of("+-.0123456789eE") != text.npos;
}

/// Whether a cell can hold a text as it is.
inline bool is_plain_csv(std::string_view text) {
  return text.find_first_of(",\"\r\n") == std::string_view::npos;
}

/// Hands `append` a text piece by piece as RFC 4180 has it: quoted where it holds a comma, a quote
/// or a line break.
template <typename Append>
void append_csv_cell(std::string_view text, Append append, bool quoted = false) {
  if (!quoted && is_plain_csv(text)) return append(text);
  append(std::string_view("\""));
  while (!text.empty()) {
    const std::size_t quote = text.find('"');
    const std::string_view piece = text.substr(0, quote == text.npos ? quote : quote + 1);
    append(piece);
    if (quote != text.npos) append(std::string_view("\""));
    text.remove_prefix(piece.size());
  }
  append(std::string_view("\""));
}

/// The same for a reader: for spreadsheets what is_formula() gets an apostrophe in front, which they
/// take for "text" and do not show.
template <typename Append>
void append_csv_cell(std::string_view text, Append append, CsvReader reader) {
  if (reader == CsvReader::program || !is_formula(text)) return append_csv_cell(text, append);
  append_csv_cell(std::string("'").append(text), append);
}

}  // namespace penchant::pipeline
