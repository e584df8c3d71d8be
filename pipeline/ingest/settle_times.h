// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/ingest/time_parse.h"

namespace penchant::pipeline {

/// What only a whole column tells. Where `parse` is automatic and all times are numbers that are
/// dates (YYYYMM, YYYYMMDD, YYYYMMDDhh, YYYYMMDDhhmm), they become these dates. Returns what is to
/// be told: units found by magnitude, several of them, all times in 1970. `where` begins each
/// message: "column 'time'".
std::vector<std::string> settle_times(std::span<std::int64_t> times_ms, const TimeCounts& counts,
                                      const TimeParser& parse, std::string_view where);

}  // namespace penchant::pipeline
