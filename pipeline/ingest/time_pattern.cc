// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/time_pattern.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};

/// The conversion that one with the same meaning stands for; '\0': unknown.
char plain_conversion(char c) {
  switch (c) {
    case 'e':
      return 'd';
    case 'B':
    case 'h':
      return 'b';
    case 'A':
      return 'a';
    case 'k':
      return 'H';
    case 'l':
      return 'I';
    case 'P':
      return 'p';
    default:
      return std::strchr("YCymbdjHIpMSfzZsauwGgVUW", c) != nullptr ? c : '\0';
  }
}

/// What a conversion for several parts stands for, in the C locale.
std::string_view expansion(char c) {
  switch (c) {
    case 'D':
    case 'x':
      return "%m/%d/%y";
    case 'F':
      return "%Y-%m-%d";
    case 'R':
      return "%H:%M";
    case 'T':
    case 'X':
      return "%H:%M:%S";
    case 'r':
      return "%I:%M:%S %p";
    case 'c':
      return "%a %b %e %H:%M:%S %Y";
    case '+':
      return "%a %b %e %H:%M:%S %Z %Y";
    default:
      return {};
  }
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

/// A number of at most `most` digits, from `low` to `high`, or -1.
int take_number(std::string_view& text, std::size_t most, int low, int high,
                std::size_t fewest = 1) {
  skip_blanks(text);
  int value = 0;
  std::size_t count = 0;
  while (count < most && count < text.size() && text[count] >= '0' && text[count] <= '9')
    value = value * 10 + (text[count++] - '0');
  if (count < fewest || value < low || value > high) return -1;
  text.remove_prefix(count);
  return value;
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(),
                                                  [](char a, char b) { return a == (b | 0x20); });
}

/// The place of the name at the start, whole or its first three letters, or -1.
template <std::size_t kCount>
int take_name(std::string_view& text, const std::array<std::string_view, kCount>& names) {
  for (std::size_t i = 0; i < kCount; ++i) {
    for (const std::size_t length : {names[i].size(), std::size_t{3}}) {
      if (!starts_with_word(text, names[i].substr(0, length))) continue;
      text.remove_prefix(length);
      return static_cast<int>(i);
    }
  }
  return -1;
}

/// AM is 0, PM is 1, with points or without.
int take_half_of_day(std::string_view& text) {
  constexpr std::array<std::string_view, 4> kHalves = {"am", "pm", "a.m.", "p.m."};
  skip_blanks(text);
  for (std::size_t i = 0; i < kHalves.size(); ++i) {
    if (text.size() < kHalves[i].size()) continue;
    const bool same = std::equal(kHalves[i].begin(), kHalves[i].end(), text.begin(),
                                 [](char a, char b) { return a == (b == '.' ? b : b | 0x20); });
    if (!same) continue;
    text.remove_prefix(kHalves[i].size());
    return static_cast<int>(i % 2);
  }
  return -1;
}

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw InputError(fmt::format("time format '{}': {}", pattern, why));
}

}  // namespace

/// What a text says; -1: nothing.
struct TimePattern::Parts {
  int year = -1, century = -1, year_of_century = -1, month = -1, day = -1, day_of_year = -1;
  int iso_year = -1, iso_year_of_century = -1, iso_week = -1, sunday_week = -1, monday_week = -1;
  int weekday = -1;  ///< Sunday is 0
  int hour = 0, hour_of_half = 0, half = 0, minute = 0, second = 0, millisecond = 0;
  std::int64_t epoch_second = 0;
  bool has_zone = false;
  std::int64_t offset_ms = 0;
};

TimePattern::TimePattern(std::string_view pattern) {
  if (pattern.find('%') == std::string_view::npos) {
    refuse(pattern,
           "expected auto, s, ms, us, ns, iso8601 or a strptime pattern such as '%Y-%m-%d %H:%M'");
  }
  add(pattern, pattern);
  check(pattern);
}

void TimePattern::add(std::string_view pattern, std::string_view whole) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_blank(pattern[i])) {
      steps_.push_back({' ', ' '});
      continue;
    }
    if (pattern[i] != '%') {
      steps_.push_back({'\0', pattern[i]});
      continue;
    }
    // Flags say how strftime fills up; E and O ask for another locale's numbers.
    while (++i < pattern.size() && std::strchr("-_0^#EO", pattern[i]) != nullptr) {
    }
    if (i >= pattern.size()) refuse(whole, "ends with a single '%'; '%%' is the percent sign");
    const char c = pattern[i];
    if (c == '%') {
      steps_.push_back({'\0', '%'});
    } else if (c == 'n' || c == 't') {
      steps_.push_back({' ', ' '});
    } else if (!expansion(c).empty()) {
      add(expansion(c), whole);
    } else if (const char conversion = plain_conversion(c); conversion != '\0') {
      if (has(conversion)) refuse(whole, fmt::format("%{} says the same part twice", c));
      seen_ += conversion;
      steps_.push_back({conversion, '\0'});
    } else {
      refuse(whole, fmt::format("unknown conversion '%{}'{}", c,
                                c == 'N' || c == 'L' ? "; a fraction of a second is %f" : ""));
    }
  }
}

void TimePattern::check(std::string_view whole) const {
  const auto any = [&](std::string_view conversions) {
    return std::any_of(conversions.begin(), conversions.end(), [&](char c) { return has(c); });
  };
  const auto need = [&](bool holds, std::string_view why) {
    if (!holds) refuse(whole, why);
  };
  if (has('s')) {
    need(!any("YCymbdjHIpMSuwGgVUWzZ"),
         "%s, seconds since 1970, says all of a time; no other part goes beside it");
    return;
  }
  need(!(has('Y') && any("Cy")), "%Y beside %y or %C says the year twice");
  need(!has('C') || has('y'), "%C, the century, needs %y");
  need(!(has('G') && has('g')), "%G beside %g says the year twice");
  const bool year = any("Yy");
  if (any("GgV")) {
    need(has('V') && any("Gg") && any("auw"),
         "%G, the year of ISO weeks, goes with %V and a weekday (%u, %w, %a); the calendar's year "
         "is %Y");
    need(!any("YCymbdjUW"), "an ISO week beside another date");
  } else if (any("UW")) {
    need(year && any("auw") && !(has('U') && has('W')),
         "%U and %W, weeks of a year, go with %Y and a weekday (%u, %w, %a)");
    need(!any("mbdj"), "a week beside another date");
  } else {
    need(year, "no year (%Y, or %y)");
    need(!(has('m') && has('b')), "%m beside %b says the month twice");
    need(!has('d') || any("mb"), "a day without a month");
    need(!has('j') || !any("mbd"), "%j, the day of the year, beside %m or %d");
  }
  need(static_cast<int>(has('a')) + has('u') + has('w') <= 1, "says the weekday twice");
  need(!(has('H') && has('I')), "%H beside %I says the hour twice");
  need(!has('I') || has('p'), "%I, an hour of 1 to 12, needs %p (AM or PM); %H is 0 to 23");
  need(!has('p') || has('I'), "%p (AM or PM) goes with %I, an hour of 1 to 12");
  need(!has('M') || any("HI"), "minutes without an hour");
  need(!has('S') || has('M'), "seconds without minutes");
  need(!has('f') || has('S'), "%f, a fraction of a second, needs %S");
}

bool TimePattern::match(char conversion, std::string_view& text, Parts& parts) const {
  const auto number = [&](int& part, std::size_t most, int low, int high, std::size_t fewest = 1) {
    part = take_number(text, most, low, high, fewest);
    return part >= 0;
  };
  const auto zone = [&](const ZoneOffset& found) {
    if (found.length == 0) return false;
    // An offset says more than the name beside it.
    if (!parts.has_zone || conversion == 'z') parts.offset_ms = found.offset_ms;
    parts.has_zone = true;
    text.remove_prefix(found.length);
    return true;
  };
  switch (conversion) {
    case 'Y':
      return number(parts.year, 4, 0, 9999, 4);
    case 'C':
      return number(parts.century, 2, 0, 99);
    case 'y':
      return number(parts.year_of_century, 2, 0, 99);
    case 'G':
      return number(parts.iso_year, 4, 0, 9999, 4);
    case 'g':
      return number(parts.iso_year_of_century, 2, 0, 99);
    case 'V':
      return number(parts.iso_week, 2, 1, 53);
    case 'U':
      return number(parts.sunday_week, 2, 0, 53);
    case 'W':
      return number(parts.monday_week, 2, 0, 53);
    case 'm':
      return number(parts.month, 2, 1, 12);
    case 'b':
      skip_blanks(text);
      parts.month = take_name(text, kMonths) + 1;
      return parts.month > 0;
    case 'd':
      return number(parts.day, 2, 1, 31);
    case 'j':
      return number(parts.day_of_year, 3, 1, 366);
    case 'a':
      skip_blanks(text);
      parts.weekday = take_name(text, kWeekdays);
      return parts.weekday >= 0;
    case 'u':
      if (!number(parts.weekday, 1, 1, 7)) return false;
      parts.weekday %= 7;
      return true;
    case 'w':
      return number(parts.weekday, 1, 0, 6);
    case 'H':
      return number(parts.hour, 2, 0, 23);
    case 'I':
      return number(parts.hour_of_half, 2, 1, 12);
    case 'p':
      parts.half = take_half_of_day(text);
      return parts.half >= 0;
    case 'M':
      return number(parts.minute, 2, 0, 59);
    case 'S':
      return number(parts.second, 2, 0, 60);
    case 'f': {
      int unit = 100;
      std::size_t count = 0;
      for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count, unit /= 10)
        parts.millisecond += (text[count] - '0') * unit;
      text.remove_prefix(count);
      return count > 0;
    }
    case 's': {
      skip_blanks(text);
      constexpr std::size_t kMostDigits = 15;
      std::size_t count = 0;
      for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
        if (count == kMostDigits) return false;
        parts.epoch_second = parts.epoch_second * 10 + (text[count] - '0');
      }
      text.remove_prefix(count);
      return count > 0;
    }
    case 'z':
      skip_blanks(text);
      return zone(parse_zone_offset(text));
    case 'Z':
      skip_blanks(text);
      return zone(parse_zone_name(text));
    default:
      return false;
  }
}

std::optional<std::int64_t> TimePattern::days(const Parts& parts) const {
  using std::chrono::day, std::chrono::month, std::chrono::year, std::chrono::sys_days;
  const auto full_year = [&](int of_century) {  // as POSIX has it: 69 to 99 are 1969 to 1999
    if (parts.century >= 0) return parts.century * 100 + of_century;
    return of_century + (of_century < 69 ? 2000 : 1900);
  };
  const auto first_of = [](int y) {
    return sys_days(year(y) / month(1) / day(1)).time_since_epoch().count();
  };
  const auto weekday_of = [](std::int64_t day) { return static_cast<int>((day % 7 + 11) % 7); };
  const int y = parts.year >= 0              ? parts.year
                : parts.year_of_century >= 0 ? full_year(parts.year_of_century)
                                             : -1;
  if (parts.iso_week >= 0) {
    const int iso = parts.iso_year >= 0 ? parts.iso_year : full_year(parts.iso_year_of_century);
    const std::int64_t fourth = first_of(iso) + 3;  // 4 January lies in week 1
    const int since_monday = (weekday_of(fourth) + 6) % 7;
    const std::int64_t found =
        fourth - since_monday + (parts.iso_week - 1) * 7 + (parts.weekday + 6) % 7;
    if (parts.iso_week == 53) {  // only if its Thursday still lies in the year
      const std::int64_t thursday = fourth - since_monday + 52 * 7 + 3;
      if (thursday >= first_of(iso + 1)) return std::nullopt;
    }
    return found;
  }
  const std::int64_t first = first_of(y);
  const std::int64_t length = first_of(y + 1) - first;
  if (parts.sunday_week >= 0 || parts.monday_week >= 0) {
    // Week 1 begins with the year's first Sunday or Monday; the days before it are week 0.
    const bool monday = parts.monday_week >= 0;
    const int start = monday ? 1 : 0;
    const std::int64_t week_one = first + (7 + start - weekday_of(first)) % 7;
    const int week = monday ? parts.monday_week : parts.sunday_week;
    const std::int64_t found = week_one + (week - 1) * 7 + (parts.weekday + 7 - start) % 7;
    if (found < first || found >= first + length) return std::nullopt;
    return found;
  }
  if (parts.day_of_year >= 0) {
    if (parts.day_of_year > length) return std::nullopt;
    return first + parts.day_of_year - 1;
  }
  const std::chrono::year_month_day date{
      year(y), month(static_cast<unsigned>(parts.month < 0 ? 1 : parts.month)),
      day(static_cast<unsigned>(parts.day < 0 ? 1 : parts.day))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count();
}

std::optional<std::int64_t> TimePattern::operator()(std::string_view text,
                                                    const TimeZone& zone) const {
  Parts parts;
  for (const Step& step : steps_) {
    if (step.conversion == ' ') {
      skip_blanks(text);
    } else if (step.conversion == '\0') {
      if (text.empty() || text.front() != step.letter) return std::nullopt;
      text.remove_prefix(1);
    } else if (!match(step.conversion, text, parts)) {
      return std::nullopt;
    }
  }
  if (!text.empty()) return std::nullopt;
  if (has('s')) return parts.epoch_second * 1000 + parts.millisecond;
  const auto day = days(parts);
  if (!day) return std::nullopt;
  const int hour = has('I') ? parts.hour_of_half % 12 + 12 * parts.half : parts.hour;
  const std::int64_t local_ms =
      ((*day * 24 + hour) * 60 + parts.minute) * 60000 + parts.second * 1000 + parts.millisecond;
  return parts.has_zone ? local_ms - parts.offset_ms : zone.to_utc_ms(local_ms);
}

}  // namespace penchant::pipeline
