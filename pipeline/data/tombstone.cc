// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/tombstone.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

using nlohmann::json;

json to_json(const Tombstone& tombstone) {
  json entry = {{"when", tombstone.when},
                {"users", tombstone.users},
                {"items", tombstone.items},
                {"rows", tombstone.rows}};
  if (tombstone.rows_until_ms) entry["rows_until_ms"] = *tombstone.rows_until_ms;
  return entry;
}

std::vector<Tombstone> tombstones_of(const json& provenance) {
  std::vector<Tombstone> tombstones;
  for (const json& entry : provenance.value("forgotten", json::array())) {
    Tombstone& tombstone = tombstones.emplace_back();
    entry.at("when").get_to(tombstone.when);
    entry.at("users").get_to(tombstone.users);
    entry.at("items").get_to(tombstone.items);
    entry.at("rows").get_to(tombstone.rows);
    if (entry.contains("rows_until_ms"))
      tombstone.rows_until_ms = entry["rows_until_ms"].get<std::int64_t>();
  }
  return tombstones;
}

std::vector<Tombstone> tombstones_in(const std::filesystem::path& data) {
  if (!is_finished(data, kDataArtifact)) return {};
  return tombstones_of(read_manifest(data, kDataArtifact).value("provenance", json::object()));
}

std::string told(std::span<const Tombstone> tombstones) {
  if (tombstones.empty()) return {};
  std::int64_t users = 0, items = 0, rows = 0;
  for (const Tombstone& tombstone : tombstones) {
    users += tombstone.users;
    items += tombstone.items;
    rows += tombstone.rows;
  }
  const auto counted = [](std::int64_t count, const char* one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
  };
  return fmt::format("has forgotten {}, {} and {}, last on {}", counted(users, "user"),
                     counted(items, "item"), counted(rows, "row"), tombstones.back().when);
}

}  // namespace penchant::pipeline
