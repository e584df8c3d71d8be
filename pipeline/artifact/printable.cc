// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/printable.h"

#include <algorithm>
#include <cstdint>

#include <fmt/core.h>

#include "pipeline/artifact/utf8.h"

namespace penchant::pipeline {

namespace {

/// Bytes of the well-formed sequence that `text` begins with; 0 if it begins with none.
std::size_t sequence_length(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (valid_utf8_length(text.substr(0, length)) == length) return length;
  }
  return 0;
}

std::uint32_t code_point(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  std::uint32_t point = lead & (0x7FU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i)
    point = (point << 6) | (static_cast<unsigned char>(sequence[i]) & 0x3FU);
  return point;
}

/// Controls, line and paragraph separators, invisible characters and marks of direction, tags.
bool is_hidden(std::uint32_t point) {
  const auto within = [&](std::uint32_t low, std::uint32_t high) {
    return point >= low && point <= high;
  };
  return point < 0x20 || within(0x7F, 0x9F) || point == 0xAD || point == 0x61C ||
         within(0x200B, 0x200F) || within(0x2028, 0x202E) || within(0x2060, 0x206F) ||
         point == 0xFEFF || within(0xFFF9, 0xFFFB) || within(0xE0000, 0xE007F);
}

void append(std::string& result, std::string_view sequence) {
  const std::uint32_t point = code_point(sequence);
  if (!is_hidden(point))
    result += sequence;
  else if (point == '\n')
    result += "\\n";
  else if (point == '\t')
    result += "\\t";
  else if (point == '\r')
    result += "\\r";
  else if (point < 0x100)
    result += fmt::format("\\x{:02x}", point);
  else if (point < 0x10000)
    result += fmt::format("\\u{:04x}", point);
  else
    result += fmt::format("\\U{:08x}", point);
}

/// Appends the character or broken byte that `text` begins with; returns its length.
std::size_t append_first(std::string& result, std::string_view text) {
  const std::size_t length = sequence_length(text);
  if (length == 0) {
    result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    return 1;
  }
  append(result, text.substr(0, length));
  return length;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t length = std::max<std::size_t>(1, sequence_length(text.substr(i)));
    if (limit != kWholeText && i + length > limit) break;
    append_first(result, text.substr(i));
    i += length;
  }
  if (i < text.size()) result += fmt::format("... ({} bytes)", text.size());
  return result;
}

std::string printable_message(std::string_view text, std::size_t limit) {
  std::string result;
  result.reserve(std::min(text.size(), limit));
  std::size_t line = 0;
  while (true) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (end > limit) break;
    result += printable(text.substr(line, end - line), kWholeText);
    if (end == text.size()) return result;
    result += '\n';
    line = end + 1;
  }
  result += printable(text.substr(line), limit - std::min(limit, line));
  return result;
}

std::string printable_list(std::span<const std::string> names) {
  constexpr std::size_t kMost = 30;
  std::string result;
  for (const std::string& name : names.first(std::min(kMost, names.size())))
    result += (result.empty() ? "" : ", ") + printable(name);
  if (names.size() > kMost) result += fmt::format(", ... ({} in all)", names.size());
  return result;
}

}  // namespace penchant::pipeline
