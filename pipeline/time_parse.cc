// SPDX-License-Identifier: Apache-2.0
#include "pipeline/time_parse.h"

#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>

#include <fmt/core.h>

namespace penchant::pipeline {

namespace {

constexpr std::int64_t kLatest = 4102444800000;  // 2100-01-01 in ms
static_assert(std::endian::native == std::endian::little, "digits are read as words");
constexpr double kSmallestMilliseconds = 1e11;  // 1973 in ms, the year 5138 in s

std::int64_t days_from_civil(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) /
                               std::chrono::day(day))
      .time_since_epoch()
      .count();
}

/// Reads `count` digits at `place`, or -1.
int digits(std::string_view text, std::size_t place, std::size_t count) {
  if (place + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = place; i < place + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// The value of the last `count` (1 to 8) of eight characters, or -1 if they are not all digits:
/// pairs, then fours, then all are put together in one word.
std::int64_t parse_last_digits(const char* text, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  const std::size_t unused = 8 * (8 - count);
  word = (word ^ 0x3030303030303030) >> unused << unused;  // '0' to '9' become 0 to 9, others more
  if (((word | (word + 0x0606060606060606)) & 0xF0F0F0F0F0F0F0F0) != 0) return -1;
  word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FF;
  word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFF;
  return static_cast<std::int64_t>((word * 10000 + (word >> 32)) & 0xFFFFFFFF);
}

/// The value of 1 to 15 digits, which a double holds exactly as well, or -1.
std::int64_t parse_digits(std::string_view text) {
  if (text.empty() || text.size() > 15) return -1;
  if (text.size() > 8) {
    constexpr std::int64_t kTens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    const std::size_t more = text.size() - 8;
    const std::int64_t high = parse_last_digits(text.data(), 8);
    const std::int64_t low = parse_last_digits(text.data() + more, more);
    return high < 0 || low < 0 ? -1 : high * kTens[more] + low;
  }
  std::int64_t value = 0;
  bool only_digits = true;
  for (const char c : text) {
    const int digit = c - '0';
    only_digits &= static_cast<unsigned>(digit) <= 9;
    value = value * 10 + digit;
  }
  return only_digits ? value : -1;
}

std::optional<std::int64_t> parse_number(std::string_view text, double scale) {
  if (const std::int64_t digits = parse_digits(text); digits >= 0)
    return static_cast<std::int64_t>(static_cast<double>(digits) * scale);
  std::int64_t whole = 0;
  const char* last = text.data() + text.size();
  const auto integer = std::from_chars(text.data(), last, whole);
  if (integer.ec == std::errc() && integer.ptr == last) {
    return static_cast<std::int64_t>(static_cast<double>(whole) * scale);
  }
  double value = 0.0;
  const auto real = std::from_chars(text.data(), last, value);
  if (real.ec != std::errc() || real.ptr != last || !std::isfinite(value) || std::abs(value) > 1e15)
    return std::nullopt;
  return static_cast<std::int64_t>(std::llround(value * scale));
}

/// 1 to 15 digits; -1: anything else, valid or not.
std::int64_t parse_common_unix(std::string_view text) {
  const std::int64_t digits = parse_digits(text);
  return digits >= static_cast<std::int64_t>(kSmallestMilliseconds)
             ? digits
             : (digits < 0 ? -1 : digits * 1000);
}

std::optional<std::int64_t> parse_unix(std::string_view text) {
  double value = 0.0;
  const auto real = std::from_chars(text.data(), text.data() + text.size(), value);
  if (real.ec != std::errc() || real.ptr != text.data() + text.size()) return std::nullopt;
  return parse_number(text, std::abs(value) >= kSmallestMilliseconds ? 1.0 : 1000.0);
}

/// YYYY-MM-DD hh:mm:ss, with 'T' for the space or not, and nothing, Z or UTC behind it: the layout
/// of almost every log, without a branch a field. -1: anything else, valid or not.
std::int64_t parse_common_iso8601(std::string_view text) {
  if (text.size() < 19) return -1;
  const std::string_view zone = text.substr(19);
  if (!zone.empty() && zone != "Z" && zone != " UTC") return -1;
  bool as_expected = (text[10] == ' ' || text[10] == 'T') && text[4] == '-' && text[7] == '-' &&
                     text[13] == ':' && text[16] == ':';
  const auto two_digits = [&](std::size_t place) {
    const int tens = text[place] - '0';
    const int ones = text[place + 1] - '0';
    as_expected &= static_cast<unsigned>(tens) <= 9 && static_cast<unsigned>(ones) <= 9;
    return static_cast<unsigned>(tens * 10 + ones);
  };
  const unsigned year = two_digits(0) * 100 + two_digits(2);
  const unsigned month = two_digits(5);
  const unsigned day = two_digits(8);
  const unsigned hour = two_digits(11);
  const unsigned minute = two_digits(14);
  const unsigned second = two_digits(17);
  as_expected &= month - 1 < 12 && day - 1 < 28 && hour < 24 && minute < 60 && second <= 60;
  if (!as_expected || year < 1970) return -1;
  const std::int64_t days = days_from_civil(static_cast<int>(year), month, day);
  return ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000;
}

std::optional<std::int64_t> parse_iso8601(std::string_view text) {
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  if (year < 0 || month < 1 || day < 1 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::int64_t ms =
      days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400000;
  std::size_t place = 10;
  if (place == text.size()) return ms;
  if (text[place] != 'T' && text[place] != ' ') return std::nullopt;
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text[13] != ':') return std::nullopt;
  ms += (hour * 60 + minute) * 60000LL;
  place = 16;
  if (place < text.size() && text[place] == ':') {
    const int second = digits(text, 17, 2);
    if (second < 0 || second > 60) return std::nullopt;
    ms += second * 1000LL;
    place = 19;
    if (place < text.size() && (text[place] == '.' || text[place] == ',')) {
      std::int64_t unit = 100;
      for (++place; place < text.size() && text[place] >= '0' && text[place] <= '9';
           ++place, unit /= 10)
        ms += (text[place] - '0') * unit;
    }
  }
  std::string_view zone = text.substr(place);
  while (!zone.empty() && zone.front() == ' ') zone.remove_prefix(1);
  if (zone.empty() || zone == "Z" || zone == "UTC") return ms;
  if (zone.front() != '+' && zone.front() != '-') return std::nullopt;
  const int zone_hour = digits(zone, 1, 2);
  const int zone_minute = zone.size() == 3                     ? 0
                          : zone.size() == 5                   ? digits(zone, 3, 2)
                          : zone.size() == 6 && zone[3] == ':' ? digits(zone, 4, 2)
                                                               : -1;
  if (zone_hour < 0 || zone_hour > 14 || zone_minute < 0 || zone_minute > 59) return std::nullopt;
  const std::int64_t offset = (zone_hour * 60 + zone_minute) * 60000LL;
  return zone.front() == '+' ? ms - offset : ms + offset;
}

std::optional<std::int64_t> parse_pattern(std::string_view text, const std::string& pattern) {
  const std::string copy(text);
  std::tm parts{};
  parts.tm_mday = 1;
  const char* end = strptime(copy.c_str(), pattern.c_str(), &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(parts.tm_year + 1900),
      std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
      std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days =
      days_from_civil(parts.tm_year + 1900, static_cast<unsigned>(parts.tm_mon + 1),
                      static_cast<unsigned>(parts.tm_mday));
  return ((days * 24 + parts.tm_hour) * 60 + parts.tm_min) * 60000 + parts.tm_sec * 1000LL;
}

}  // namespace

TimeParser::TimeParser(std::string format) : format_(std::move(format)) {
  kind_ = format_ == "auto"      ? Kind::automatic
          : format_ == "s"       ? Kind::seconds
          : format_ == "ms"      ? Kind::milliseconds
          : format_ == "iso8601" ? Kind::iso8601
                                 : Kind::pattern;
}

std::optional<std::int64_t> TimeParser::operator()(std::string_view text) const {
  std::optional<std::int64_t> ms;
  const bool dashed = text.size() > 4 && text[4] == '-';
  if (kind_ == Kind::automatic || kind_ == Kind::iso8601) {
    // Most times end here, before an optional would be copied: its value and its flag are written
    // apart, and reading both at once waits until they have left the processor's store buffer.
    const std::int64_t common = dashed                     ? parse_common_iso8601(text)
                                : kind_ == Kind::automatic ? parse_common_unix(text)
                                                           : -1;
    if (common >= 0 && common < kLatest) return common;
  }
  switch (kind_) {
    case Kind::automatic:
      ms = dashed ? parse_iso8601(text) : parse_unix(text);
      break;
    case Kind::seconds:
      ms = parse_number(text, 1000.0);
      break;
    case Kind::milliseconds:
      ms = parse_number(text, 1.0);
      break;
    case Kind::iso8601:
      ms = parse_iso8601(text);
      break;
    case Kind::pattern:
      ms = parse_pattern(text, format_);
      break;
  }
  if (ms && (*ms < 0 || *ms >= kLatest)) return std::nullopt;
  return ms;
}

std::string TimeParser::expectation() const {
  switch (kind_) {
    case Kind::automatic:
      return "a Unix time or ISO-8601 between 1970 and 2100";
    case Kind::seconds:
      return "a Unix time in seconds between 1970 and 2100";
    case Kind::milliseconds:
      return "a Unix time in milliseconds between 1970 and 2100";
    case Kind::iso8601:
      return "an ISO-8601 time between 1970 and 2100";
    case Kind::pattern:
      return fmt::format("a time like '{}' between 1970 and 2100", format_);
  }
  return {};
}

}  // namespace penchant::pipeline
