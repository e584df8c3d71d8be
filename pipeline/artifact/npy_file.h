// SPDX-License-Identifier: Apache-2.0
// Columns of artefacts as .npy files of one dimension.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace penchant::pipeline {

/// Whole or absent, as write_file_atomically.
template <typename T>
void write_npy_file(const std::filesystem::path& path, const std::vector<T>& values);

/// The same for what can be made again: not flushed to the disk. Returns the file's hash, which
/// tells what a power cut took.
template <typename T>
std::string write_hashed_npy_file(const std::filesystem::path& path, const std::vector<T>& values);

}  // namespace penchant::pipeline
