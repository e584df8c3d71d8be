// SPDX-License-Identifier: Apache-2.0
// Writing an artefact (X.data, X.data/graph, X.data/partition, X.model, X.embeddings, X.delta).
//
// One writer: the kernel's lock (flock) on the folder is held from begin to finish and is gone with
// the process, however that ends. A second writer is refused at once.
//
// The old stays whole until the new is: where a finished artefact of the same kind is in place, the
// new one grows in the folder NAME.unfinished beside it, and when it is complete the two folders
// are exchanged in one step (renameat2). Who reads meanwhile sees all of the old or all of the new
// (read_whole). Where there is nothing to lose, the new one grows in place. In both cases a file
// "unfinished" in the folder says what is being written there, by which process.
//
// A replaced artefact is removed, or kept under another name (Destination::keep_as; versions.h).
//
// What is removed is what an artefact of this kind is made of, never more: files that somebody else
// put into the folder stay, and move along.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

/// Where an artefact goes, and what `penchant run` made it from: text that is stored with it
/// (kStampName), or nothing.
struct Destination {
  Destination(std::filesystem::path to) : path(std::move(to)) {}  // NOLINT: a path is one
  Destination(const char* to) : path(to) {}                       // NOLINT
  Destination(const std::string& to) : path(to) {}                // NOLINT
  Destination(std::filesystem::path to, std::string text)
      : path(std::move(to)), stamp(std::move(text)) {}

  std::filesystem::path path;
  std::string stamp;
  std::filesystem::path keep_as = {};  ///< where the artefact that it replaces goes; empty: nowhere
  std::function<void()> before_in_place = {};  ///< called when it is complete, before it is in place
};

/// An artefact that somebody else writes at this moment.
class ArtifactInUse : public InputError {
 public:
  using InputError::InputError;
};

class ArtifactWriter {
 public:
  /// Locks. Throws ArtifactInUse; InputError if `directory` is a file, cannot be written, holds an
  /// artefact of another kind, or files that no stage of ours put there.
  ArtifactWriter(const Destination& destination, std::string_view kind);
  /// Without finish() what was written goes, unless a training can be resumed from it.
  ~ArtifactWriter();
  ArtifactWriter(const ArtifactWriter&) = delete;
  ArtifactWriter& operator=(const ArtifactWriter&) = delete;

  /// Where the files are to be written. Holds what an earlier attempt left, until clear().
  const std::filesystem::path& folder() const { return folder_; }
  void clear();
  /// What is written stays, finished or not.
  void keep() { keep_ = true; }
  /// Adds to the manifest "files" (the hash of each; those in `hashes` are not computed again),
  /// "kind", "format_version", "penchant_version", "created" and the manifest's own hash, writes it
  /// last, removes what only a resumed training needs, and puts the artefact in place.
  void finish(nlohmann::json manifest, nlohmann::json hashes);
  void finish(nlohmann::json manifest);
  /// finish() leaves it complete where it grew, until put_in_place(); without that it goes.
  void hold() { holds_ = true; }
  void put_in_place();

 private:
  void choose_folder();
  void lock_marker();
  bool resumable() const;
  void exchange();
  void keep_replaced();
  void remove_replaced();
  void move_in_place();

  std::filesystem::path target_, folder_, keep_as_;
  std::string kind_, stamp_;
  std::function<void()> before_in_place_;
  graph::Descriptor target_lock_, folder_lock_, marker_lock_;
  bool made_target_ = false;
  bool keep_ = false;
  bool holds_ = false;
};

/// The folder in which a training of this model stopped that can be resumed: the model's own, or
/// the one beside it; empty if there is none.
std::filesystem::path resumable_training(const std::filesystem::path& directory);

/// Reads an artefact that may be exchanged meanwhile: `read` is called again where the manifest is
/// another one afterwards.
template <typename Read>
auto read_whole(const std::filesystem::path& directory, Read read) {
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    const std::string before = manifest_identity(directory);
    try {
      auto result = read();
      if (attempt == kAttempts || manifest_identity(directory) == before) return result;
    } catch (const InputError&) {
      if (attempt == kAttempts || manifest_identity(directory) == before) throw;
    }
  }
}

}  // namespace penchant::pipeline
