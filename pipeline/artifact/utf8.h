// SPDX-License-Identifier: Apache-2.0
// UTF-8 as ingest needs it: whatever the input holds, what is kept and said of it is valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// Why a row with such a cell is rejected.
inline constexpr std::string_view kBrokenUtf8 = "not valid UTF-8";

/// Bytes in front of the first one that belongs to no well-formed sequence; all of them if there is
/// none.
std::size_t valid_utf8_length(std::string_view text);

/// Two loads for most ids, so that every cell can be asked.
inline bool is_ascii(std::string_view text) {
  const char* const bytes = text.data();
  const std::size_t size = text.size();
  std::uint64_t word = 0;
  std::uint64_t all = 0;
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      std::memcpy(&word, bytes + i, 8);
      all |= word;
    }
    std::memcpy(&word, bytes + size - 8, 8);
    all |= word;
  } else if (size >= 4) {
    std::memcpy(&word, bytes, 4);
    all = word;
    std::memcpy(&word, bytes + size - 4, 4);
    all |= word;
  } else {
    for (std::size_t i = 0; i < size; ++i) all |= static_cast<unsigned char>(bytes[i]);
  }
  return (all & 0x8080808080808080) == 0;
}

inline bool is_valid_utf8(std::string_view text) {
  return is_ascii(text) || valid_utf8_length(text) == text.size();
}

/// The text with U+FFFD in place of each byte that belongs to no well-formed sequence.
std::string replace_broken_utf8(std::string_view text);

/// "column 'x' is not valid UTF-8 at byte 3, expected a file in UTF-8" for a cell that is not.
std::string explain_broken_utf8(std::string_view what, std::string_view cell);

}  // namespace penchant::pipeline
