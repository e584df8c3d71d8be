// SPDX-License-Identifier: Apache-2.0
// Artefact directories (X.data, X.model, X.embeddings) and their manifest.json. A directory is
// finished when, and only when, it has a manifest: the manifest is written last, by atomic rename,
// and removed first when a stage begins to rewrite it. Files inside are written under a temporary
// name, flushed, and renamed.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

/// 64-bit XXH3 of a file's bytes or of a string, as 16 hex digits. Throws InputError if the file
/// cannot be read.
std::string hash_file(const std::filesystem::path& path);
std::string hash_bytes(std::string_view bytes);

/// The same hash of bytes that come piece by piece.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  void update(std::string_view bytes);
  std::string digest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes a file so that it is either whole or absent: temporary name in the same folder, flush,
/// fsync, rename. A failure (disk full, read-only folder) throws InputError naming path and system
/// error, and leaves no temporary file.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(std::ostream&)>& write);

/// Creates the directory if needed, marks it as begun (a file "unfinished") and removes its
/// manifest, so that it counts as unfinished. Throws InputError if `directory` is a file, cannot be
/// written, holds a manifest of another kind than `kind`, or files that no stage of ours put there.
void begin_artifact(const std::filesystem::path& directory, std::string_view kind);
/// Adds "kind", "format_version", "penchant_version", "created", and writes manifest.json last.
void finish_artifact(const std::filesystem::path& directory, std::string_view kind,
                     nlohmann::json manifest);
/// Reads and checks kind and version. Throws InputError: not there, unfinished, damaged, of another
/// kind, of a newer version.
nlohmann::json read_manifest(const std::filesystem::path& directory, std::string_view kind);
/// {"seconds", "peak_bytes"} of a stage that began then, for its manifest (key "resources").
nlohmann::json resources_since(std::chrono::steady_clock::time_point start);
bool is_finished(const std::filesystem::path& directory);

/// What `penchant run` made an artefact from; gone as soon as anything begins to rewrite the
/// artefact.
inline constexpr const char* kStampName = "run.json";

}  // namespace penchant::pipeline
