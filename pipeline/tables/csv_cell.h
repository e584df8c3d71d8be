// SPDX-License-Identifier: Apache-2.0
// Text as a cell of CSV.
#pragma once

#include <string_view>

namespace penchant::pipeline {

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

}  // namespace penchant::pipeline
