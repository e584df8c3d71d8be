// SPDX-License-Identifier: Apache-2.0
// Files that a test writes and reads, in a folder of its own.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace penchant::testing {

/// A fresh folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& path);
/// manifest.json of an artefact.
nlohmann::json manifest_of(const std::filesystem::path& artefact);
void write_text(const std::filesystem::path& path, std::string_view text);

/// `text` as a gzip or zstd file: stored, not packed, which every reader of the formats must take.
std::string as_gzip(std::string_view text);
std::string as_zstd(std::string_view text);

}  // namespace penchant::testing
