// SPDX-License-Identifier: Apache-2.0
// penchant update: new rows into X.data and a model of them from X.model, both in place at once. What
// they replace is kept beside them (artifact/versions.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/config/config.h"
#include "pipeline/ingest/append.h"
#include "pipeline/training/train.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

struct UpdateFlags {
  AppendFlags rows;  ///< `data` alone: X.data has grown already (`penchant append`)
  std::string model;
  std::string budget;     ///< empty: as long as validation says
  std::int64_t keep = 1;  ///< replaced versions that stay
};

struct Updated {
  std::optional<AppendReport> rows;  ///< none: no files were given
  bool trained = false;              ///< false: the model was of these rows already
  TrainReport training;
  std::string device;
  std::int64_t data_version = 1, model_version = 1;
  std::string moved_json = "null";  ///< of the model's manifest: how far rows moved
  /// Known items moved as well, and an index of earlier item vectors is to be brought up to date;
  /// none: the vectors of the model's kind always move.
  std::optional<bool> known_items_move;
};

/// `config`: of the device; how the model is trained, its own config.toml says. Killed at any moment
/// it leaves both as they were or the new rows with the model of before, which goes on by the kept
/// version of its data set; called again it does the rest. Throws InputError: X.data has not grown
/// from what the model was trained on; ArtifactInUse.
Updated update_by(const UpdateFlags& flags, const Config& config,
                  const std::shared_ptr<const Frames>& frames, Progress& progress);
nlohmann::json updated_json(const Updated& updated, const UpdateFlags& flags);

}  // namespace penchant::pipeline
