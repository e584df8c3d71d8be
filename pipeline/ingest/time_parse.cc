// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/time_parse.h"

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <fmt/format.h>

namespace penchant::pipeline {

namespace {

constexpr std::int64_t kLatest = 4102444800000;  // 2100-01-01 in ms
static_assert(std::endian::native == std::endian::little, "digits are read as words");
// Each is 1973 in its unit, and far in the future in the next larger one.
constexpr double kSmallestMilliseconds = 1e11;
constexpr double kSmallestMicroseconds = 1e14;
constexpr double kSmallestNanoseconds = 1e17;

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

/// The number that a Unix time is.
struct Count {
  bool whole = true;
  std::int64_t number = 0;  ///< if whole
  double real = 0.0;        ///< otherwise
};

std::optional<Count> parse_count(std::string_view text) {
  if (const std::int64_t digits = parse_digits(text); digits >= 0) return Count{true, digits, 0.0};
  const char* last = text.data() + text.size();
  Count count;
  const auto integer = std::from_chars(text.data(), last, count.number);
  if (integer.ec == std::errc() && integer.ptr == last) return count;
  const auto real = std::from_chars(text.data(), last, count.real);
  if (real.ec != std::errc() || real.ptr != last || !std::isfinite(count.real)) return std::nullopt;
  constexpr double kExact = 9007199254740992.0;
  count.whole = std::trunc(count.real) == count.real && std::abs(count.real) < kExact;
  if (count.whole) count.number = static_cast<std::int64_t>(count.real);
  return count;
}

/// In milliseconds, or -1 if out of range.
std::int64_t to_milliseconds(const Count& count, TimeUnit unit) {
  const double scale = unit == TimeUnit::seconds        ? 1e3
                       : unit == TimeUnit::milliseconds ? 1.0
                       : unit == TimeUnit::microseconds ? 1e-3
                                                        : 1e-6;
  if (!count.whole) {
    const double ms = count.real * scale;
    return ms >= 0.0 && ms < static_cast<double>(kLatest) ? std::llround(ms) : -1;
  }
  const std::int64_t n = count.number;
  if (n < 0) return -1;
  switch (unit) {
    case TimeUnit::seconds:
      return n < kLatest ? n * 1000 : -1;
    case TimeUnit::milliseconds:
      return n;
    case TimeUnit::microseconds:
      return n / 1000;
    default:
      return n / 1000000;
  }
}

/// The unit of a number by its magnitude.
TimeUnit unit_of(const Count& count) {
  // A double rounds the largest count of microseconds up to the first of nanoseconds.
  if (count.whole && count.number < static_cast<std::int64_t>(kSmallestNanoseconds) &&
      count.number >= static_cast<std::int64_t>(kSmallestMicroseconds))
    return TimeUnit::microseconds;
  const double size = count.whole ? static_cast<double>(count.number) : count.real;
  if (size < kSmallestMilliseconds) return TimeUnit::seconds;
  if (size < static_cast<double>(kLatest)) return TimeUnit::milliseconds;
  if (size < kSmallestMicroseconds) return TimeUnit::date_time;
  return size < kSmallestNanoseconds ? TimeUnit::microseconds : TimeUnit::nanoseconds;
}

/// Seconds and milliseconds of 1 to 15 digits; -1: anything else, valid or not.
std::int64_t parse_common_unix(std::string_view text, TimeUnit& unit) {
  const std::int64_t digits = parse_digits(text);
  if (digits < static_cast<std::int64_t>(kSmallestMilliseconds)) {
    unit = TimeUnit::seconds;
    return digits < 0 ? -1 : digits * 1000;
  }
  unit = TimeUnit::milliseconds;
  return digits;
}

/// The unit by the number's size.
std::optional<std::int64_t> unix_time(const Count& count, const TimeZone& zone, TimeUnit& unit) {
  unit = unit_of(count);
  if (unit != TimeUnit::date_time) return to_milliseconds(count, unit);
  const std::int64_t local = count.whole ? date_of_number(count.number, 6) : -1;
  if (local < 0) return std::nullopt;
  return zone.to_utc_ms(local);
}

std::optional<std::int64_t> parse_unix(std::string_view text, const TimeZone& zone,
                                       TimeUnit& unit) {
  const auto count = parse_count(text);
  return count ? unix_time(*count, zone, unit) : std::nullopt;
}

/// YYYY-MM-DD hh:mm:ss, with 'T' for the space or not, and nothing, Z or UTC behind it: the layout
/// of almost every log, without a branch a field. -1: anything else, valid or not.
std::int64_t parse_common_iso8601(std::string_view text, const TimeZone& of_others) {
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
  const std::int64_t days = std::chrono::sys_days(std::chrono::year(static_cast<int>(year)) /
                                                  std::chrono::month(month) / std::chrono::day(day))
                                .time_since_epoch()
                                .count();
  const std::int64_t ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000;
  return zone.empty() ? of_others.to_utc_ms(ms) : ms;
}

/// YYYYMMDDThhmmss, as ISO-8601 has it too.
bool is_basic_iso8601(std::string_view text) {
  return text.size() >= 11 && (text[8] == 'T' || text[8] == 't') && digits(text, 0, 8) >= 0;
}

std::optional<std::int64_t> parse_iso8601(std::string_view given, const TimeZone& of_others) {
  std::string extended;
  std::string_view text = given;
  if (is_basic_iso8601(given)) {
    std::size_t end = 9;
    while (end < given.size() && given[end] >= '0' && given[end] <= '9') ++end;
    if (end != 13 && end != 15) return std::nullopt;
    extended = fmt::format("{}-{}-{}T{}:{}", given.substr(0, 4), given.substr(4, 2),
                           given.substr(6, 2), given.substr(9, 2), given.substr(11, 2));
    if (end == 15) extended += fmt::format(":{}", given.substr(13, 2));
    extended += given.substr(end);
    text = extended;
  }
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  if (year < 0 || month < 1 || day < 1 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto days = days_since_1970(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  if (!days) return std::nullopt;
  std::int64_t ms = *days * 86400000;
  std::size_t place = 10;
  if (place == text.size()) return of_others.to_utc_ms(ms);
  if (text[place] != 'T' && text[place] != 't' && text[place] != ' ') return std::nullopt;
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
  if (zone.empty()) return of_others.to_utc_ms(ms);
  if (zone.front() != '+' && zone.front() != '-')
    return parse_zone_name(zone).length == zone.size() ? std::optional(ms) : std::nullopt;
  const ZoneOffset offset = parse_zone_offset(zone);
  if (offset.length != zone.size()) return std::nullopt;
  return ms - offset.offset_ms;
}

}  // namespace

TimeParser::TimeParser(std::string format, std::string_view zone)
    : format_(std::move(format)), zone_(zone) {
  constexpr std::array<std::pair<std::string_view, TimeUnit>, 4> kUnits = {
      {{"s", TimeUnit::seconds},
       {"ms", TimeUnit::milliseconds},
       {"us", TimeUnit::microseconds},
       {"ns", TimeUnit::nanoseconds}}};
  if (format_ == "auto" || format_ == "order") return;  // of the latter no time is read
  if (format_ == "iso8601") {
    kind_ = Kind::iso8601;
    return;
  }
  for (const auto& [name, unit] : kUnits) {
    if (format_ != name) continue;
    kind_ = Kind::unix_time;
    unit_ = unit;
    return;
  }
  kind_ = Kind::pattern;
  pattern_ = TimePattern(format_);
}

std::optional<std::int64_t> TimeParser::operator()(std::string_view text, TimeUnit& unit) const {
  std::optional<std::int64_t> ms;
  const bool dashed = text.size() > 4 && text[4] == '-';
  if (kind_ == Kind::automatic || kind_ == Kind::iso8601) {
    // Most times end here, before an optional would be copied: its value and its flag are written
    // apart, and reading both at once waits until they have left the processor's store buffer.
    unit = TimeUnit::text;
    const std::int64_t common = dashed                     ? parse_common_iso8601(text, zone_)
                                : kind_ == Kind::automatic ? parse_common_unix(text, unit)
                                                           : -1;
    if (common >= 0 && common < kLatest) return common;
  }
  switch (kind_) {
    case Kind::automatic:
      unit = TimeUnit::text;
      ms = dashed || is_basic_iso8601(text) ? parse_iso8601(text, zone_)
                                            : parse_unix(text, zone_, unit);
      break;
    case Kind::unix_time:
      unit = unit_;
      if (const auto count = parse_count(text)) ms = to_milliseconds(*count, unit_);
      break;
    case Kind::iso8601:
      ms = parse_iso8601(text, zone_);
      break;
    case Kind::pattern:
      unit = TimeUnit::text;
      ms = pattern_(text, zone_);
      break;
  }
  if (ms && (*ms < 0 || *ms >= kLatest)) return std::nullopt;
  return ms;
}

std::optional<std::int64_t> TimeParser::of_number(std::int64_t number, TimeUnit& unit) const {
  const Count count{true, number, 0.0};
  std::optional<std::int64_t> ms;
  if (kind_ == Kind::automatic) {
    ms = unix_time(count, zone_, unit);
  } else if (kind_ == Kind::unix_time) {
    unit = unit_;
    ms = to_milliseconds(count, unit_);
  } else {
    return (*this)(fmt::format_int(number).c_str(), unit);
  }
  if (ms && (*ms < 0 || *ms >= kLatest)) return std::nullopt;
  return ms;
}

std::string TimeParser::expectation() const {
  switch (kind_) {
    case Kind::automatic:
      return "a Unix time or ISO-8601 between 1970 and 2100";
    case Kind::unix_time:
      return fmt::format("a Unix time in {} between 1970 and 2100", unit_name(unit_));
    case Kind::iso8601:
      return "an ISO-8601 time between 1970 and 2100";
    case Kind::pattern:
      return fmt::format("a time like '{}' between 1970 and 2100", format_);
  }
  return {};
}

std::string TimeParser::hint(std::string_view text) const {
  const auto has_letters = [](std::string_view part) {
    return part.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") !=
           std::string_view::npos;
  };
  const bool iso = kind_ == Kind::automatic || kind_ == Kind::iso8601;
  if (iso && digits(text, 0, 4) >= 0 && text.size() > 5) {
    const std::string_view behind_year = text.substr(text[4] == '-' ? 5 : 4);
    if (behind_year.front() == 'W') return " (weeks are read with '%G-W%V-%u')";
    if (text[4] == '-' && behind_year.size() == 3 && digits(behind_year, 0, 3) >= 0)
      return " (days of a year are read with '%Y-%j')";
    if (text.size() > 19 && has_letters(text.substr(19)))
      return " (of zones, offsets such as +09:00, Z, UTC and GMT are known)";
  }
  if (kind_ == Kind::pattern && format_.find("%Z") != std::string::npos && has_letters(text))
    return " (of zone names, UTC, GMT and Z are known; offsets are %z)";
  if (kind_ == Kind::pattern && format_.find("%f") == std::string::npos &&
      text.find('.') != std::string_view::npos && format_.find("%S") != std::string::npos)
    return " (a fraction of a second is %f)";
  if (kind_ == Kind::automatic)
    return " (data.time_format takes patterns such as '%d.%m.%Y %H:%M')";
  return {};
}

}  // namespace penchant::pipeline
