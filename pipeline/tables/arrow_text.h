// SPDX-License-Identifier: Apache-2.0
// The text of one value of an Arrow array. For the files that include Arrow only.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>

#include <arrow/array.h>

namespace penchant::pipeline {

/// A number as the shortest text that reads back the same; whole ones without ".0", so that 17850.0
/// and 17850 are one id.
template <typename Number>
std::string_view number_text(Number value, std::array<char, 64>& buffer) {
  std::to_chars_result result{};
  char* const end = buffer.data() + buffer.size();
  if constexpr (std::is_floating_point_v<Number>) {
    constexpr double kWhole = 9007199254740992.0;
    if (std::trunc(value) == value && std::abs(static_cast<double>(value)) < kWhole)
      result = std::to_chars(buffer.data(), end, static_cast<std::int64_t>(value));
    else
      result = std::to_chars(buffer.data(), end, value);
  } else if constexpr (std::is_signed_v<Number>) {
    result = std::to_chars(buffer.data(), end, static_cast<std::int64_t>(value));
  } else {
    result = std::to_chars(buffer.data(), end, static_cast<std::uint64_t>(value));
  }
  return {buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())};
}

/// The milliseconds since 1970 of a date or timestamp, rounded down; the largest number, which is
/// no time, where they do not fit.
std::int64_t milliseconds_of(const arrow::Array& array, std::int64_t i);

/// Appends the text of a value that is there; nested ones as JSON.
void append_text(const arrow::Array& array, std::int64_t i, const std::filesystem::path& path,
                 std::string& out);

}  // namespace penchant::pipeline
