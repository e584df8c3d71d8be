// SPDX-License-Identifier: Apache-2.0
// One list as JSON: what `recommend --json` prints and the server answers.
#pragma once

#include <span>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/data/dataset.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// An array of {rank, item, score, label}.
nlohmann::json list_to_json(const Dataset& dataset, std::span<const ScoredItem> items);

}  // namespace penchant::pipeline
