// SPDX-License-Identifier: Apache-2.0
// Text -> milliseconds since 1970-01-01 UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// Parser of one time column. Formats:
///   auto      Unix time (seconds; milliseconds from 1e11 on) or ISO-8601
///   s, ms     Unix time in that unit, a fraction allowed
///   iso8601   YYYY-MM-DD, then optionally 'T' or a space and hh:mm[:ss[.fraction]], then
///   optionally Z, UTC or +hh:mm else      a strptime pattern, read as UTC
/// A time before 1970 or after 2100 is not accepted: it is a unit mistaken for another, or a
/// damaged row.
class TimeParser {
 public:
  explicit TimeParser(std::string format);
  /// nothing if the text is not a time of this format or out of range.
  std::optional<std::int64_t> operator()(std::string_view text) const;
  /// What is accepted, for messages: "a Unix time or ISO-8601 between 1970 and 2100".
  std::string expectation() const;

 private:
  enum class Kind : std::uint8_t { automatic, seconds, milliseconds, iso8601, pattern };
  std::string format_;
  Kind kind_;
};

}  // namespace penchant::pipeline
