// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/zone_file.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr int kLastYear = 2100;

/// Reads big-endian numbers one after another; what is not there is damage.
class Bytes {
 public:
  Bytes(std::string_view bytes, const fs::path& path) : bytes_(bytes), path_(path) {}
  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) fail();
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::int64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char byte : take(size)) value = value << 8 | static_cast<unsigned char>(byte);
    const std::size_t unused = 64 - 8 * size;
    return static_cast<std::int64_t>(value << unused) >> unused;
  }
  std::string_view rest() const { return bytes_; }
  [[noreturn]] void fail() const {
    throw InputError(fmt::format("{}: not a readable time zone file", path_.string()));
  }

 private:
  std::string_view bytes_;
  const fs::path& path_;
};

/// Counts of a block, in the order of the file.
struct Header {
  std::array<std::size_t, 6> count{};  ///< UT and standard indicators, leaps, times, types, letters
  std::size_t size(std::size_t time_bytes) const {
    return count[3] * (time_bytes + 1) + count[4] * 6 + count[5] + count[2] * (time_bytes + 4) +
           count[1] + count[0];
  }
};

Header read_header(Bytes& bytes) {
  if (bytes.take(4) != "TZif") bytes.fail();
  bytes.take(16);  // version, unused
  Header header;
  for (std::size_t& count : header.count) {
    const std::int64_t value = bytes.number(4);
    if (value < 0 || value > 100000) bytes.fail();
    count = static_cast<std::size_t>(value);
  }
  return header;
}

/// The rule for the years behind the file's transitions, as in the variable TZ of POSIX:
/// "CET-1CEST,M3.5.0,M10.5.0/3".
class Rule {
 public:
  explicit Rule(std::string_view text) : text_(text) {
    skip_name();
    standard_s_ = -clock();
    if (text_.empty()) return;
    skip_name();
    summer_s_ = text_.empty() || text_.front() == ',' ? standard_s_ + 3600 : -clock();
    begin_ = day();
    end_ = day();
    has_summer_ = good_;
  }
  bool good() const { return good_; }
  /// Adds the changes of a year.
  void add(int year, std::vector<ZoneSpan>& spans) const {
    if (!has_summer_) return;
    ZoneSpan begin{(second_of(begin_, year) - standard_s_) * 1000, summer_s_ * 1000};
    ZoneSpan end{(second_of(end_, year) - summer_s_) * 1000, standard_s_ * 1000};
    if (end.start_ms < begin.start_ms) std::swap(begin, end);
    for (const ZoneSpan& span : {begin, end}) {
      if (spans.empty() || span.start_ms > spans.back().start_ms) spans.push_back(span);
    }
  }

 private:
  struct Day {
    char kind = 'M';  ///< M: month.week.weekday; J: 1 to 365 without 29 February; 0: 0 to 365
    std::int64_t month = 1, week = 1, day = 0;
    std::int64_t second = 7200;
  };
  bool next_is(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_name() {
    if (next_is('<')) {
      text_.remove_prefix(std::min(text_.find('>') + 1, text_.size()));
      return;
    }
    const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
    while (!text_.empty() && is_letter(text_.front())) text_.remove_prefix(1);
  }
  std::int64_t number() {
    std::int64_t value = 0;
    std::size_t count = 0;
    for (; count < text_.size() && count < 4 && text_[count] >= '0' && text_[count] <= '9'; ++count)
      value = value * 10 + (text_[count] - '0');
    good_ = good_ && count > 0;
    text_.remove_prefix(count);
    return value;
  }
  /// [+-]hh[:mm[:ss]] in seconds.
  std::int64_t clock() {
    const bool negative = next_is('-');
    if (!negative) next_is('+');
    std::int64_t seconds = number() * 3600;
    if (next_is(':')) seconds += number() * 60;
    if (next_is(':')) seconds += number();
    return negative ? -seconds : seconds;
  }
  Day day() {
    Day day;
    good_ = good_ && next_is(',');
    if (next_is('M')) {
      day.month = number();
      good_ = good_ && next_is('.');
      day.week = number();
      good_ = good_ && next_is('.');
      day.day = number();
      good_ = good_ && day.month >= 1 && day.month <= 12;
    } else {
      day.kind = next_is('J') ? 'J' : '0';
      day.day = number();
    }
    if (next_is('/')) day.second = clock();
    return day;
  }
  /// Local seconds since 1970 of a rule's day in a year.
  static std::int64_t second_of(const Day& rule, int year) {
    using std::chrono::sys_days;
    const std::chrono::year y(year);
    std::int64_t day = 0;
    if (rule.kind == 'M') {
      const std::chrono::month month(static_cast<unsigned>(rule.month));
      const std::int64_t first = sys_days(y / month / 1).time_since_epoch().count();
      const std::int64_t last = sys_days(y / month / std::chrono::last).time_since_epoch().count();
      const std::int64_t weekday = (first % 7 + 11) % 7;  // Sunday is 0
      day = first + (rule.day - weekday + 7) % 7 + (rule.week - 1) * 7;
      if (day > last) day -= 7;  // week 5 is the last one
    } else {
      day = sys_days(y / 1 / 1).time_since_epoch().count() + rule.day;
      if (rule.kind == 'J' && !(y.is_leap() && rule.day >= 60)) --day;
    }
    return day * 86400 + rule.second;
  }

  std::string_view text_;
  bool good_ = true;
  bool has_summer_ = false;
  std::int64_t standard_s_ = 0, summer_s_ = 0;
  Day begin_, end_;
};

std::vector<ZoneSpan> parse(std::string_view file, const fs::path& path) {
  Bytes bytes(file, path);
  Header header = read_header(bytes);
  std::size_t time_bytes = 4;
  if (file[4] >= '2') {  // the same again in 64 bits, and a rule behind it
    bytes.take(header.size(4));
    header = read_header(bytes);
    time_bytes = 8;
  }
  Bytes block(bytes.take(header.size(time_bytes)), path);
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < header.count[3]; ++i) times.push_back(block.number(time_bytes));
  const std::string_view types = block.take(header.count[3]);
  std::vector<std::int64_t> offsets_s;
  for (std::size_t i = 0; i < header.count[4]; ++i) {
    offsets_s.push_back(block.number(4));
    block.take(2);  // whether it is summer time, its name
  }
  if (offsets_s.empty()) block.fail();
  // Far enough back for every time, near enough for sums.
  std::vector<ZoneSpan> spans = {
      {std::numeric_limits<std::int64_t>::min() / 4, offsets_s[0] * 1000}};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto type = static_cast<unsigned char>(types[i]);
    if (type >= offsets_s.size()) block.fail();
    if (times[i] < -100000000000 || times[i] > 100000000000) continue;
    spans.push_back({times[i] * 1000, offsets_s[type] * 1000});
  }
  std::string_view rest = bytes.rest();
  if (time_bytes == 8 && rest.size() > 2 && rest.front() == '\n') {
    const Rule rule(rest.substr(1, rest.find('\n', 1) - 1));
    for (int year = 1970; rule.good() && year < kLastYear; ++year) rule.add(year, spans);
  }
  return spans;
}

}  // namespace

std::optional<std::vector<ZoneSpan>> read_zone(std::string_view name) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
  if (name.empty() || name.front() == '/' || name.back() == '/' ||
      name.find_first_not_of(kLetters) != std::string_view::npos)
    return std::nullopt;
  const char* given = std::getenv("TZDIR");
  const fs::path path =
      fs::path(given != nullptr && *given != '\0' ? given : "/usr/share/zoneinfo") / fs::path(name);
  std::error_code error;
  constexpr std::uintmax_t kMostBytes = 1 << 20;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kMostBytes)
    return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 5) return std::nullopt;
  return parse(bytes, path);
}

}  // namespace penchant::pipeline
