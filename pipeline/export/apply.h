// SPDX-License-Identifier: Apache-2.0
// X.embeddings and X.delta -> the new embeddings, in the formats of the old ones. Of a delta with
// every row that moved, the files are those that embed writes of the new model, byte for byte.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// Writes the new embeddings, which may take the place of the old ones, and returns what their
/// manifest says. All rows are in memory: 8 bytes a number. Throws InputError: either is damaged,
/// or the delta is of other embeddings, or was applied already.
nlohmann::json apply_delta(const std::filesystem::path& old, const std::filesystem::path& delta,
                           const Destination& destination, Progress& progress);

}  // namespace penchant::pipeline
