// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace penchant::pipeline {

/// Makes a folder and those above it, where they are missing. Throws InputError.
void create_folder(const std::filesystem::path& folder);

}  // namespace penchant::pipeline
