// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/settle_times.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace penchant::pipeline {

std::vector<std::string> settle_times(std::span<std::int64_t> times_ms, const TimeCounts& counts,
                                      const TimeParser& parse, std::string_view where) {
  std::vector<std::string> told;
  const auto rows_in = [&](TimeUnit unit) { return counts.rows[static_cast<std::size_t>(unit)]; };
  const std::int64_t numbers = rows_in(TimeUnit::seconds) + rows_in(TimeUnit::milliseconds) +
                               rows_in(TimeUnit::microseconds) + rows_in(TimeUnit::nanoseconds);
  if (times_ms.empty() || (numbers == 0 && rows_in(TimeUnit::date_time) == 0)) return told;
  if (parse.is_automatic()) {
    std::string found;
    int kinds = 0;
    for (std::size_t unit = 0; unit < kNumTimeUnits; ++unit) {
      if (counts.rows[unit] == 0) continue;
      ++kinds;
      found += fmt::format("{}{} {}", found.empty() ? "" : ", ", counts.rows[unit],
                           unit_name(static_cast<TimeUnit>(unit)));
    }
    if (kinds > 1) {
      told.push_back(fmt::format(
          "{}: times are written in several ways, told apart by their size: {}; if that is wrong, "
          "data.time_format says which it is",
          where, found));
    } else if (rows_in(TimeUnit::microseconds) > 0 || rows_in(TimeUnit::nanoseconds) > 0) {
      const bool micro = rows_in(TimeUnit::microseconds) > 0;
      told.push_back(
          fmt::format("{}: times are read as {} since 1970, by their size; "
                      "data.time_format = \"{}\" says so",
                      where, micro ? "microseconds" : "nanoseconds", micro ? "us" : "ns"));
    } else if (rows_in(TimeUnit::date_time) > 0) {
      told.push_back(
          fmt::format("{}: times are read as dates written as numbers; "
                      "data.time_format = \"%Y%m%d%H%M%S\" says so",
                      where));
    }
    if (kinds > 1 || numbers == 0) return told;
  }
  // A date written as a number: how long a unit of the number is in what was read, and its parts.
  struct Shape {
    TimeUnit unit;
    std::int64_t scale;
    int parts;
    const char* format;
  };
  constexpr std::array<Shape, 4> kShapes = {{{TimeUnit::seconds, 1000, 3, "%Y%m%d"},
                                             {TimeUnit::seconds, 1000, 2, "%Y%m"},
                                             {TimeUnit::seconds, 1000, 4, "%Y%m%d%H"},
                                             {TimeUnit::milliseconds, 1, 5, "%Y%m%d%H%M"}}};
  const std::int64_t end_of_1970 = 365 * 86400000LL;
  const bool all_in_1970 = std::all_of(times_ms.begin(), times_ms.end(),
                                       [&](std::int64_t ms) { return ms < end_of_1970; });
  for (const Shape& shape : kShapes) {
    if (rows_in(shape.unit) == 0) continue;
    const auto date = [&](std::int64_t ms) {
      return ms % shape.scale == 0 ? date_of_number(ms / shape.scale, shape.parts) : -1;
    };
    const auto all = static_cast<std::int64_t>(times_ms.size());
    std::int64_t dates = 0;
#pragma omp parallel for reduction(+ : dates) schedule(static)
    for (std::int64_t row = 0; row < all; ++row)
      dates += static_cast<std::int64_t>(date(times_ms[static_cast<std::size_t>(row)]) >= 0);
    if (parse.is_automatic() && dates == all) {
      for (std::int64_t& ms : times_ms)
        ms = std::max<std::int64_t>(0, parse.zone().to_utc_ms(date(ms)));
      told.push_back(
          fmt::format("{}: times are read as dates written as numbers, since all {} can "
                      "be; data.time_format = \"{}\" says so",
                      where, all, shape.format));
      return told;
    }
    if (2 * dates >= all && (all_in_1970 || shape.parts > 3)) {
      told.push_back(
          fmt::format("{}: {} of {} times look like dates written as numbers but are "
                      "read as {} since 1970; data.time_format = \"{}\" reads dates",
                      where, dates, all, unit_name(shape.unit), shape.format));
      return told;
    }
  }
  if (all_in_1970) {
    told.push_back(fmt::format(
        "{}: all times lie in the year 1970, as numbers that only give an order do; if they are "
        "dates, data.time_format says how they are written",
        where));
  }
  return told;
}

}  // namespace penchant::pipeline
