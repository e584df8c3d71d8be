// SPDX-License-Identifier: Apache-2.0
// The zone of times that do not name one themselves. The machine's own zone is never asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

class TimeZone {
 public:
  TimeZone() = default;  ///< UTC
  /// UTC, GMT, Z, an offset ("+09:00", "-0330", "+9"), or a name of the time zone database
  /// ("Europe/Berlin"). Throws InputError.
  explicit TimeZone(std::string_view name);

  /// A time that a change of clocks leaves out is as far behind the change as it says; of two that
  /// a change repeats it is the first.
  std::int64_t to_utc_ms(std::int64_t local_ms) const {
    return local_ms - (changes_.empty() ? offset_ms_ : offset_at(local_ms));
  }

 private:
  struct Change {
    std::int64_t local_ms = 0;  ///< from here on
    std::int64_t offset_ms = 0;
  };
  std::int64_t offset_at(std::int64_t local_ms) const;

  std::int64_t offset_ms_ = 0;
  std::vector<Change> changes_;  ///< ascending; empty: always offset_ms_
};

/// An offset at the start of a text, and how many characters it takes.
struct ZoneOffset {
  std::int64_t offset_ms = 0;
  std::size_t length = 0;  ///< 0: none stands there
};
/// "+09:00", "+0900", "+09", with seconds or not, "Z" or "z".
ZoneOffset parse_zone_offset(std::string_view text);
/// "UTC", "GMT", "UT" or "Z" in either case.
ZoneOffset parse_zone_name(std::string_view text);

}  // namespace penchant::pipeline
