// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/time_zone.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/ingest/zone_file.h"

namespace penchant::pipeline {

namespace {

/// Two digits at `place`, or -1.
int two_digits(std::string_view text, std::size_t place) {
  if (place + 2 > text.size()) return -1;
  const int tens = text[place] - '0';
  const int ones = text[place + 1] - '0';
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

}  // namespace

ZoneOffset parse_zone_offset(std::string_view text) {
  constexpr int kLargestHour = 15;  // some were beyond 14 hours before 1900
  if (text.empty()) return {};
  if (text.front() == 'Z' || text.front() == 'z') {
    const bool word = text.size() > 1 && is_letter(text[1]);
    return {0, word ? 0U : 1U};
  }
  if (text.front() != '+' && text.front() != '-') return {};
  const int hour = two_digits(text, 1);
  if (hour < 0 || hour > kLargestHour) return {};
  std::int64_t seconds = hour * 3600;
  std::size_t length = 3;
  for (const int unit : {60, 1}) {  // minutes, then seconds
    const std::size_t place = length + (length < text.size() && text[length] == ':' ? 1 : 0);
    const int value = two_digits(text, place);
    if (value < 0 || value > 59) break;
    seconds += value * unit;
    length = place + 2;
  }
  return {(text.front() == '+' ? 1000 : -1000) * seconds, length};
}

ZoneOffset parse_zone_name(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_letter);
  const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  for (const std::string_view name : {"utc", "gmt", "ut", "z"}) {
    if (std::equal(word.begin(), word.end(), name.begin(), name.end(),
                   [](char a, char b) { return (a | 0x20) == b; }))
      return {0, word.size()};
  }
  return {};
}

TimeZone::TimeZone(std::string_view name) {
  const ZoneOffset utc = parse_zone_name(name);
  if (utc.length > 0 && utc.length == name.size()) return;
  std::string_view offset = name;
  for (const std::string_view prefix : {"UTC", "GMT"}) {
    if (offset.starts_with(prefix)) offset.remove_prefix(prefix.size());
  }
  std::string padded(offset);
  if (offset.size() == 2 || (offset.size() > 2 && offset[2] == ':'))  // +9
    padded = fmt::format("{}0{}", offset.front(), offset.substr(1));
  const ZoneOffset found = parse_zone_offset(padded);
  if (found.length > 0 && found.length == padded.size()) {
    offset_ms_ = found.offset_ms;
    return;
  }
  const auto spans = read_zone(name);
  if (!spans) {
    throw InputError(
        fmt::format("time zone '{}': expected UTC, an offset such as '+09:00', or a name of the "
                    "time zone database such as 'Europe/Berlin'",
                    name));
  }
  offset_ms_ = spans->front().offset_ms;
  for (std::size_t i = 1; i < spans->size(); ++i) {
    const ZoneSpan& span = (*spans)[i];
    const std::int64_t before = (*spans)[i - 1].offset_ms;
    changes_.push_back({span.start_ms + std::max(before, span.offset_ms), span.offset_ms});
  }
}

std::int64_t TimeZone::offset_at(std::int64_t local_ms) const {
  const auto behind =
      std::upper_bound(changes_.begin(), changes_.end(), local_ms,
                       [](std::int64_t ms, const Change& change) { return ms < change.local_ms; });
  return behind == changes_.begin() ? offset_ms_ : std::prev(behind)->offset_ms;
}

}  // namespace penchant::pipeline
