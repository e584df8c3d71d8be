// SPDX-License-Identifier: Apache-2.0
// A model of an earlier program, or one whose vectors are missing or damaged, brought up to date:
// its vectors are made again of its weights.
#pragma once

#include <cstdint>
#include <filesystem>

#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

struct UpgradeReport {
  int from_format = 0;
  int format = 0;
  bool written = false;  ///< false: nothing was to be done
};

/// Writes the model anew, whole, in place of the old one, which stays on a failure. Throws
/// InputError: unfinished, damaged otherwise, of a newer program, trained on another data set, or
/// with an interrupted training beside it, which would be lost.
UpgradeReport upgrade_model(const std::filesystem::path& model_directory, const Dataset& dataset,
                            kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
