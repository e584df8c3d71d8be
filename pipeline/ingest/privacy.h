// SPDX-License-Identifier: Apache-2.0
// Coarse times, rare values made one, and what the manifest tells of all that was taken away
// (PrivacyOptions, docs/privacy.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/catalog.h"
#include "graph/interactions.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

/// What the rare values of an attribute are called together.
inline constexpr std::string_view kRareValue = "(rare)";

/// The options as the readers need them: rules for ids ready, names of columns withheld where ids
/// become pseudonyms. Throws InputError: options that contradict each other or have no effect on
/// this format, a bad key or table of accounts (IdRules).
void prepare_privacy(IngestOptions& options);

/// Sets each time to the start of its unit of UTC; returns how many changed.
std::int64_t coarsen_times(std::span<std::int64_t> times_ms, TimeResolution resolution);

/// Of one attribute.
struct RareValues {
  std::string attribute;
  std::int64_t values = 0, items = 0;  ///< made one, and items that had one of them
};
/// Makes one of the values of categorical and list attributes that fewer than `least` users touched,
/// by the rows of `train` (in order of users). Of paths what is rare gives way to what it is below,
/// if that is not. Values of `known`, a catalogue from before, stay. Attributes made of vectors stay.
std::vector<RareValues> merge_rare_values(graph::Catalog& catalog, const graph::Interactions& train,
                                          std::int64_t least,
                                          std::span<const std::int64_t> num_known_values = {});

/// What was done to a log, for the manifest; `before`: of what it grows, or null.
struct PrivacyCounts {
  std::int64_t num_users = 0, num_items = 0;  ///< of the data set
  std::int64_t times_changed = 0;
  std::int64_t repeats_dropped = 0;
  std::vector<RareValues> rare;
};
nlohmann::json privacy_json(const IngestOptions& options, const PrivacyCounts& counts,
                            const nlohmann::json& before);
/// The same for people, a line each.
void tell_privacy(const IngestOptions& options, const PrivacyCounts& counts, Progress& progress);

/// Rows can only be added with the key that gave a data set its pseudonyms, or without one where it
/// has none. Throws InputError.
void check_same_key(const IngestOptions& options, const nlohmann::json& provenance,
                    const std::filesystem::path& data);

}  // namespace penchant::pipeline
