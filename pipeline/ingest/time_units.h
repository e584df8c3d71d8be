// SPDX-License-Identifier: Apache-2.0
// The units that times are written in, and dates that are written as numbers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace penchant::pipeline {

/// What a time was written in. date_time: the digits YYYYMMDDhhmmss.
enum class TimeUnit : std::uint8_t {
  seconds,
  milliseconds,
  microseconds,
  nanoseconds,
  date_time,
  text
};
inline constexpr std::size_t kNumTimeUnits = 6;

/// Rows of a column by the unit of their time.
struct TimeCounts {
  std::array<std::int64_t, kNumTimeUnits> rows{};
  void add(TimeUnit unit) { ++rows[static_cast<std::size_t>(unit)]; }
  TimeCounts& operator+=(const TimeCounts& more) {
    for (std::size_t unit = 0; unit < kNumTimeUnits; ++unit) rows[unit] += more.rows[unit];
    return *this;
  }
};

/// For messages.
const char* unit_name(TimeUnit unit);

/// Nothing if there is no such day.
inline std::optional<std::int64_t> days_since_1970(int year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

/// Milliseconds of a date written as a number, YYYYMMDD and then two digits each of hour, minute
/// and second, of which `parts` are there (1: the year, 2: and the month, ...); -1 if it is none.
std::int64_t date_of_number(std::int64_t number, int parts);

}  // namespace penchant::pipeline
