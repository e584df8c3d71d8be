// SPDX-License-Identifier: Apache-2.0
// What ingest takes away from a log before anything is written (docs/privacy.md).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "graph/enum_names.h"
#include "pipeline/data/pseudonyms.h"

namespace penchant::pipeline {

/// Times are those at which a unit of UTC begins; weeks begin on Monday.
enum class TimeResolution { exact, second, minute, hour, day, week };
constexpr auto enum_words(TimeResolution) {
  return std::to_array<EnumWord<TimeResolution>>({{TimeResolution::exact, "exact"},
                                                  {TimeResolution::second, "second"},
                                                  {TimeResolution::minute, "minute"},
                                                  {TimeResolution::hour, "hour"},
                                                  {TimeResolution::day, "day"},
                                                  {TimeResolution::week, "week"}});
}

struct PrivacyOptions {
  std::vector<Entity> pseudonymise;     ///< whose raw ids become pseudonyms
  std::filesystem::path pseudonym_key;  ///< file; empty where no ids do
  TimeResolution time_resolution = TimeResolution::exact;
  std::int64_t min_value_users = 0;  ///< values of attributes that fewer users touched become one
  std::filesystem::path same_user;   ///< table of accounts and the persons they are of
  bool drop_repeats = false;         ///< exact repeats of a row go, without times as well
};

}  // namespace penchant::pipeline
