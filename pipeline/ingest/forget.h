// SPDX-License-Identifier: Apache-2.0
// Users and items out of a data set, with all that it holds of them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// Raw ids: files with one a line, or lists in memory. At least one of the four.
struct ForgetOptions {
  std::filesystem::path users_file = {}, items_file = {};          ///< empty: none
  std::optional<std::vector<std::string>> users = {}, items = {};  ///< in place of the file
  std::shared_ptr<const PseudonymKey> key = {};                    ///< of the raw ids, or null
};

/// Something near the data set that may still hold what was forgotten.
struct RemainingPlace {
  std::filesystem::path path;
  std::string kind;  ///< of an artefact: "model" and so on; "file": one that no stage wrote
};

struct ForgetReport {
  std::int64_t num_forgotten_users = 0, num_forgotten_items = 0;  ///< as given, and known
  std::int64_t num_unknown_users = 0, num_unknown_items = 0;      ///< given, but not known
  std::int64_t num_items_of_theirs = 0;       ///< forgotten too: known by rows of these users alone
  std::array<std::int64_t, 3> rows{};         ///< forgotten in train, validation, test
  std::int64_t num_users = 0, num_items = 0;  ///< left
  std::int64_t num_users_left_without_rows = 0;  ///< stay: their items went, not they
  std::vector<RemainingPlace> remaining;
};

/// Writes `out`, which may be `data`, without these users and items: their rows in all parts, their
/// entries and statistics, attributes and values that nothing else has, and every example of a row
/// in the manifest. The graph and the partition are not taken along.
/// - Dense ids close up; the order and the parts of what stays are as they were.
/// - An item whose every row was of these users goes too, unless an item table says something of it.
/// - A user whose every row was of these items stays, without rows.
/// - The manifest keeps a Tombstone, and run.json stays: `penchant run` goes on from it.
/// Where `out` is `data`, the old files are gone when this returns, and a call that failed or was
/// killed in between is made good by the next one, whatever ids that names.
/// Throws InputError: a list of which no id is known, no training row left, old files that cannot be
/// removed.
ForgetReport forget(const ForgetOptions& options, const std::filesystem::path& data,
                    const std::filesystem::path& out, Progress& progress);

}  // namespace penchant::pipeline
