// SPDX-License-Identifier: Apache-2.0
// Links between users as X.data holds them: links0.offsets.npy, links0.columns.npy and
// links0.values.npy of the first kind, named in the manifest, and so on (docs/formats.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/user_links.h"

namespace penchant::pipeline {

/// "links0" and so on.
std::string links_file(std::size_t number);
/// What the manifest says of them: names, and which are directed.
nlohmann::json links_to_json(const std::vector<graph::UserLinks>& links);
/// All kinds that a data set's manifest names. Throws InputError for files that are damaged,
/// nlohmann::json::exception for what is missing.
std::vector<graph::UserLinks> read_links(const std::filesystem::path& directory,
                                         const nlohmann::json& manifest, std::int64_t num_users);

/// Names a data set by the hashes of its files, its attributes and its kinds of links, which older
/// data sets have none of.
std::string dataset_hash(const nlohmann::json& files, const nlohmann::json& attributes,
                         const nlohmann::json& links);

}  // namespace penchant::pipeline
