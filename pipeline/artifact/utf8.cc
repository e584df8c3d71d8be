// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/utf8.h"

#include <fmt/core.h>

namespace penchant::pipeline {

std::size_t valid_utf8_length(std::string_view text) {
  // The table of well-formed byte sequences of the Unicode standard, table 3-7.
  std::size_t i = 0;
  const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(text[place]); };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead < 0x80) {
      more = 0;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    for (std::size_t k = 1; k <= more; ++k) {
      if (i + k >= text.size() || byte(i + k) < low || byte(i + k) > high) return i;
      low = 0x80;
      high = 0xBF;
    }
    i += more + 1;
  }
  return i;
}

std::string replace_broken_utf8(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t good = valid_utf8_length(text);
    result += text.substr(0, good);
    if (good == text.size()) return result;
    result += "\xEF\xBF\xBD";
    text.remove_prefix(good + 1);
  }
}

std::string explain_broken_utf8(std::string_view what, std::string_view cell) {
  return fmt::format(
      "{} is not valid UTF-8 at byte {}, expected a file in UTF-8 (or "
      "data.encoding = \"latin-1\")",
      what, valid_utf8_length(cell) + 1);
}

}  // namespace penchant::pipeline
