// SPDX-License-Identifier: Apache-2.0
// Zones of the time zone database by name, from the compiled files that every system has
// ($TZDIR, else /usr/share/zoneinfo; RFC 8536).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

/// From `start_ms` on (since 1970, UTC) local time is `offset_ms` ahead of UTC.
struct ZoneSpan {
  std::int64_t start_ms = 0;
  std::int64_t offset_ms = 0;
};

/// The spans of "Europe/Berlin" to the year 2100, ascending; the first one has no beginning.
/// Nothing if there is no such zone. Throws InputError: a damaged file.
std::optional<std::vector<ZoneSpan>> read_zone(std::string_view name);

}  // namespace penchant::pipeline
