// SPDX-License-Identifier: Apache-2.0
// What a data set keeps of what was taken out of it on request (pipeline/ingest/forget.h): counts
// and times, and nothing by which a raw id could be guessed and tried.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

struct Tombstone {
  std::string when;  ///< "2026-11-30T07:15:00Z"
  std::int64_t users = 0, items = 0, rows = 0;
  /// The end of the day (UTC) of the latest row that was left. A log with times that brings someone
  /// new by a row from before may bring back who was forgotten.
  std::optional<std::int64_t> rows_until_ms;
};

nlohmann::json to_json(const Tombstone& tombstone);
/// Those in the provenance of a data set, oldest first.
std::vector<Tombstone> tombstones_of(const nlohmann::json& provenance);
/// Those of a folder that may hold a data set.
std::vector<Tombstone> tombstones_in(const std::filesystem::path& data);
/// "has forgotten 2 users, 1 item and 45 rows, last on 2026-11-30T07:15:00Z"; empty for none.
std::string told(std::span<const Tombstone> tombstones);

}  // namespace penchant::pipeline
