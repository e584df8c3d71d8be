// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/text_marks.h"

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

char parse_separator(std::string_view text, std::string_view key) {
  if (text.empty() || text == "auto") return '\0';
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() != 1)
    throw InputError(fmt::format("{} is '{}', expected one character, tab or auto", key, text));
  return text.front();
}

TextMark parse_mark(std::string_view text, std::string_view key) {
  if (text.empty() || text == "auto") return {};
  if (text == "none") return '\0';
  if (text.size() != 1 || text == "\n" || text == "\r")
    throw InputError(fmt::format("{} is '{}', expected one character, none or auto", key, text));
  return text.front();
}

char parse_decimal(std::string_view text, std::string_view key) {
  if (text != "." && text != ",")
    throw InputError(fmt::format("{} is '{}', expected \".\" or \",\"", key, text));
  return text.front();
}

}  // namespace penchant::pipeline
