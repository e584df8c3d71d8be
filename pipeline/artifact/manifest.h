// SPDX-License-Identifier: Apache-2.0
// manifest.json of an artefact's folder (X.data, X.model, X.embeddings): what makes it finished,
// and what guards it. It names the hash of every file, and its own: of the canonical text (keys
// sorted, no blanks) without the key "manifest_hash".
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

/// Writes a file so that it is either whole or absent (graph/files.h). A failure (disk full,
/// read-only folder) throws InputError naming path and system error, and leaves no temporary file.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(std::ostream&)>& write);

/// Kinds of artefacts.
inline constexpr const char* kDataArtifact = "data";
inline constexpr const char* kGraphArtifact = "graph";
inline constexpr const char* kPartitionArtifact = "partition";
inline constexpr const char* kModelArtifact = "model";
inline constexpr const char* kEmbeddingsArtifact = "embeddings";
inline constexpr const char* kDeltaArtifact = "delta";

inline constexpr const char* kManifestName = "manifest.json";
/// Of a model's finished vectors.
inline constexpr const char* kVectorsFolder = "vectors";
/// "format_version" that this program writes of models, which hold their vectors since 3, and of
/// all other kinds.
inline constexpr int kModelFormat = 3;
inline constexpr int kFormat = 2;
/// What `penchant run` made an artefact from.
inline constexpr const char* kStampName = "run.json";
/// What a training goes on from; a finished model has none but kChoiceName.
inline constexpr const char* kCheckpointName = "checkpoint.safetensors";
inline constexpr const char* kBestName = "best.safetensors";
inline constexpr const char* kChoiceName = "choice.json";

/// Adds "format_version" and "manifest_hash" and writes manifest.json.
void write_manifest(const std::filesystem::path& directory, nlohmann::json manifest);
/// Reads and checks kind, version and its own hash. Throws InputError: not there, unfinished,
/// damaged, of another kind, of a newer version. Manifests of format version 1 have no hash of
/// their own; those that earlier programs wrote are read all the same.
nlohmann::json read_manifest(const std::filesystem::path& directory, std::string_view kind);
/// Which files of an artefact: the vectors of a model can be made again of the others.
enum class CheckedFiles { all, vectors, others };
/// Compares the hash of every file that the manifest names, and of those that the manifest of a
/// model inside it names. Throws InputError that names the file; what makes vectors again is left to
/// the caller to say.
void check_files(const std::filesystem::path& directory, std::string_view kind,
                 const nlohmann::json& manifest, CheckedFiles which = CheckedFiles::all);
/// Kind of the artefact as its manifest says, without a look at the rest; empty: it says nothing.
std::string manifest_kind(const std::filesystem::path& directory);
/// Equal as long as the same manifest is in place.
std::string manifest_identity(const std::filesystem::path& directory);
/// read_manifest() would not throw.
bool is_finished(const std::filesystem::path& directory, std::string_view kind);

/// "2026-11-28T22:43:18Z".
std::string time_now_text();
/// {"seconds", "peak_bytes"} of a stage that began then, for its manifest (key "resources").
nlohmann::json resources_since(std::chrono::steady_clock::time_point start);

}  // namespace penchant::pipeline
