// SPDX-License-Identifier: Apache-2.0
// X.model and the embeddings that were handed over before -> X.delta: the rows that are new or
// moved, and the ids that are gone. apply.h makes the new embeddings of the old ones and this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

struct DeltaOptions {
  std::filesystem::path since;  ///< X.embeddings
  /// Least share of a row's length (RowDistance::share in movement.h) that it must have moved by
  /// more than; 0: every row of which a bit differs.
  double moved = 0;
};

/// Writes X.delta (docs/formats.md) and returns what its manifest says. The type of the numbers is
/// that of `since`. Throws InputError: a share outside 0 to 2; `since` is damaged or its rows are
/// of another kind than the model's (width, columns, score).
nlohmann::json write_delta(const Model& model, const DeltaOptions& options,
                           const Destination& destination, Progress& progress);
/// What write_delta returned, for people.
std::string delta_text(const nlohmann::json& delta);

/// What must be the same for rows of one to stand beside rows of the other. Throws InputError that
/// names `path` and the first that differs from `wanted`, which is of `whose`.
void require_same_kind(const nlohmann::json& found, const nlohmann::json& wanted,
                       const std::filesystem::path& path, const std::string& whose);

}  // namespace penchant::pipeline
