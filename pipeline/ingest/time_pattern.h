// SPDX-License-Identifier: Apache-2.0
// Times by a strptime pattern. The C library's own strptime puts an offset, a zone name, a count of
// seconds, a week where its callers do not look, and reads names in the locale of the process; here
// every conversion counts or is refused when the pattern is read, and names are English.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/ingest/time_zone.h"

namespace penchant::pipeline {

/// Conversions: %Y %C %y %m %b %B %h %d %e %j; %H %k, %I %l with %p %P; %M %S; %f (a fraction of a
/// second); %z (+0900, +09:00, +09, Z) and %Z (UTC, GMT, Z); %s (seconds since 1970); %a %A %u %w;
/// with them %G %g %V (ISO weeks), %U %W (weeks of a year); %D %F %R %T %r %c %x %X %n %t %%.
/// Blanks in a pattern match any number of blanks, and numbers may have blanks in front, as in
/// strptime.
class TimePattern {
 public:
  TimePattern() = default;
  /// Throws InputError that says which conversion is unknown, is missing or contradicts another.
  explicit TimePattern(std::string_view pattern);
  /// Milliseconds since 1970-01-01 UTC; nothing if the text is not such a time. `zone` is that of
  /// times without an offset or zone of their own.
  std::optional<std::int64_t> operator()(std::string_view text, const TimeZone& zone) const;

 private:
  struct Parts;
  void add(std::string_view pattern, std::string_view whole);
  void check(std::string_view whole) const;
  bool has(char conversion) const { return seen_.find(conversion) != std::string::npos; }
  bool match(char conversion, std::string_view& text, Parts& parts) const;
  std::optional<std::int64_t> days(const Parts& parts) const;

  struct Step {
    char conversion = '\0';  ///< '\0': the letter; ' ': blanks
    char letter = '\0';
  };
  std::vector<Step> steps_;
  std::string seen_;  ///< one letter for each conversion: %e is d, %h and %B are b, ...
};

}  // namespace penchant::pipeline
