// SPDX-License-Identifier: Apache-2.0
// Text -> milliseconds since 1970-01-01 UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/ingest/time_pattern.h"
#include "pipeline/ingest/time_units.h"
#include "pipeline/ingest/time_zone.h"

namespace penchant::pipeline {

/// Parser of one time column. Formats:
///   auto            Unix time, its unit by magnitude (seconds; milliseconds from 1e11 on,
///                   microseconds from 1e14, nanoseconds from 1e17), the digits YYYYMMDDhhmmss, or
///                   ISO-8601; settle_times() looks at the whole column afterwards
///   s, ms, us, ns   Unix time in that unit, a fraction allowed
///   iso8601         YYYY-MM-DD, then optionally 'T' or a space and hh:mm[:ss[.fraction]], then
///                   optionally Z, UTC, GMT or +hh:mm; or YYYYMMDDThhmmss with the same behind it
///   else            a strptime pattern (time_pattern.h)
/// Times without a zone of their own are of `zone`. A time before 1970 or after 2100 is not
/// accepted: it is a unit mistaken for another, or a damaged row.
class TimeParser {
 public:
  /// Throws InputError: a pattern or a zone that cannot be.
  explicit TimeParser(std::string format, std::string_view zone = "UTC");
  /// nothing if the text is not a time of this format or out of range.
  std::optional<std::int64_t> operator()(std::string_view text) const {
    TimeUnit unit = TimeUnit::seconds;
    return (*this)(text, unit);
  }
  /// `unit` is what the text was written in.
  std::optional<std::int64_t> operator()(std::string_view text, TimeUnit& unit) const;
  /// As of the number's digits.
  std::optional<std::int64_t> of_number(std::int64_t number, TimeUnit& unit) const;
  /// What is accepted, for messages: "a Unix time or ISO-8601 between 1970 and 2100".
  std::string expectation() const;
  /// Why this text is none, where that can be said, for behind the expectation; or empty.
  std::string hint(std::string_view text) const;

  bool is_automatic() const { return kind_ == Kind::automatic; }
  const std::string& format() const { return format_; }
  const TimeZone& zone() const { return zone_; }

 private:
  enum class Kind : std::uint8_t { automatic, unix_time, iso8601, pattern };
  std::string format_;
  TimeZone zone_;
  Kind kind_ = Kind::automatic;
  TimeUnit unit_ = TimeUnit::seconds;
  TimePattern pattern_;
};

}  // namespace penchant::pipeline
