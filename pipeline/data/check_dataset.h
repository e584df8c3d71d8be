// SPDX-License-Identifier: Apache-2.0
// X.data against itself: whether what its files say fits together, so that nothing behind it has to
// ask again.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// Throws InputError that names the file, or nlohmann::json::exception for the manifest.
///   sizes       as in the manifest; columns of a part of one length, the same columns in all parts
///   rows        ids in range; users ascend; weights finite and above 0; times of a user ascend;
///               event types among the manifest's
///   dictionaries  counts and times are those of the training rows
void check_dataset(const std::filesystem::path& directory, const nlohmann::json& manifest,
                   const Dataset& dataset);

}  // namespace penchant::pipeline
