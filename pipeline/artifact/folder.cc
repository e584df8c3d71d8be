// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/folder.h"

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

void create_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw InputError(
        fmt::format("{}: cannot create the directory: {}", folder.string(), error.message()));
}

}  // namespace penchant::pipeline
