// SPDX-License-Identifier: Apache-2.0
// Writing what a stage makes of X.data, into a folder of it.
#pragma once

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// What a stage does with its result where X.data cannot be written, or another process is writing
/// the same: an error, or a warning, and the result is used from memory.
enum class Storing { required, if_possible };

/// Writes something of X.data. Where that is not required, a failure is a warning.
template <typename Write>
void store(Storing storing, Progress& progress, Write write) {
  try {
    write();
  } catch (const InputError& error) {
    if (storing == Storing::required) throw;
    progress.warn(fmt::format("{}; the result is not stored, but used from memory", error.what()));
  }
}

}  // namespace penchant::pipeline
