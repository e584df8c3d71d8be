// SPDX-License-Identifier: Apache-2.0
// A model as programs before format version 3 wrote it: without vectors, and the trained model of a
// mixture in the folder that holds the vectors now.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "tests/pipeline/support/folder.h"

namespace penchant::testing {

/// `hash_of`: hash_bytes() of pipeline/artifact/manifest.h, which tests of the program do not have.
template <typename HashOf>
void make_old(const std::filesystem::path& model, HashOf hash_of) {
  namespace fs = std::filesystem;
  nlohmann::json manifest = nlohmann::json::parse(read_text(model / "manifest.json"));
  fs::remove_all(model / "vectors");
  for (const char* file : {"vectors/items.npy", "vectors/users.npy"}) manifest["files"].erase(file);
  if (fs::exists(model / "trained")) {
    make_old(model / "trained", hash_of);
    fs::rename(model / "trained", model / "vectors");
    manifest["files"].erase("trained/manifest.json");
    manifest["files"]["vectors/manifest.json"] =
        hash_of(read_text(model / "vectors/manifest.json"));
  }
  manifest.erase("layout");
  manifest.erase("manifest_hash");
  manifest["format_version"] = 2;
  manifest["manifest_hash"] = hash_of(manifest.dump());
  write_text(model / "manifest.json", manifest.dump(2) + "\n");
}

}  // namespace penchant::testing
