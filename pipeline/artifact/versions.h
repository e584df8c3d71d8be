// SPDX-License-Identifier: Apache-2.0
// Versions of an artefact side by side: X.data is the newest, X.data.v1, X.data.v2 and so on are
// what it replaced. The number of a version stands in the manifest of a model and in the provenance
// of a data set ("version"; without it 1). The latter says as well which ones it has grown from
// ("earlier"), so that a model of one of these can be told which rows its vectors are of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

/// X.data.v3.
std::filesystem::path version_folder(const std::filesystem::path& artefact, std::int64_t version);
/// Of the manifest of a model, or of the provenance of a data set.
std::int64_t version_of(const nlohmann::json& manifest);

/// Removes kept versions of an artefact whose newest is `version`, but for the last `keep`.
void remove_old_versions(const std::filesystem::path& artefact, std::string_view kind,
                         std::int64_t version, std::int64_t keep);

/// The data set that a model was trained on: `data`, or where that is another one, the kept version
/// of it that is. `data` where there is none, or where the model cannot be read: who reads it says
/// why.
std::filesystem::path data_of_model(const std::filesystem::path& data,
                                    const std::filesystem::path& model);

/// What a data set was before rows came: its first users and items are the same.
struct EarlierData {
  std::string hash;
  std::int64_t num_users = 0, num_items = 0;
  std::optional<std::int64_t> latest_time_ms;  ///< of all its rows, if these have times
};
/// Notes in the provenance of a data set that it has grown from that.
void add_earlier_version(nlohmann::json& provenance, const EarlierData& earlier);
/// The version of this hash; none: it did not grow from it.
std::optional<EarlierData> earlier_version(const nlohmann::json& provenance, std::string_view hash);

}  // namespace penchant::pipeline
