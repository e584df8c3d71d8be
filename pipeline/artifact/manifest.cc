// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/manifest.h"

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <ctime>
#include <memory>

#include <fmt/core.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/memory.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// The last whose manifests did not guard themselves.
constexpr int kVersionWithoutHash = 1;
constexpr const char* kHashKey = "manifest_hash";
/// A manifest holds no data: more is none of ours.
constexpr std::uint64_t kMostManifestBytes = std::uint64_t{64} << 20;

int format_of(std::string_view kind) { return kind == kModelArtifact ? kModelFormat : kFormat; }

std::string hex(XXH64_hash_t hash) { return fmt::format("{:016x}", hash); }

/// Of the text that is the same however the JSON is laid out.
std::string own_hash(json manifest) {
  manifest.erase(kHashKey);
  return hash_bytes(manifest.dump(-1, ' ', false, json::error_handler_t::replace));
}

json parse_manifest(const fs::path& directory) {
  return parse_json_line(graph::read_file(directory / kManifestName, kMostManifestBytes));
}

}  // namespace

std::string hash_bytes(std::string_view bytes) {
  return hex(XXH3_64bits(bytes.data(), bytes.size()));
}

struct Hasher::Impl {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state{XXH3_createState(),
                                                                 &XXH3_freeState};
};

Hasher::Hasher() : impl_(std::make_unique<Impl>()) {
  if (impl_->state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(impl_->state.get());
}
Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  XXH3_64bits_update(impl_->state.get(), bytes.data(), bytes.size());
}

std::string Hasher::digest() const { return hex(XXH3_64bits_digest(impl_->state.get())); }

std::string hash_file(const fs::path& path) {
  graph::InputFile file(path);
  Hasher hasher;
  std::vector<char> block(std::size_t{1} << 20);
  while (const std::size_t count = file.read_some(block.data(), block.size()))
    hasher.update({block.data(), count});
  return hasher.digest();
}

void write_file_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  graph::NewFile file(path);
  write(file.stream());
  file.commit();
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  });
}

std::string time_now_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::array<char, 32> text{};
  std::tm utc{};
  std::strftime(text.data(), text.size(), "%FT%TZ", gmtime_r(&now, &utc));
  return text.data();
}

json resources_since(std::chrono::steady_clock::time_point start) {
  return {
      {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()},
      {"peak_bytes", peak_memory()}};
}

void write_manifest(const fs::path& directory, json manifest) {
  manifest["format_version"] = format_of(manifest.at("kind").get<std::string>());
  manifest[kHashKey] = own_hash(manifest);
  write_file_atomically(directory / kManifestName, manifest.dump(2) + "\n");
}

std::string manifest_kind(const fs::path& directory) {
  try {
    const json manifest = parse_manifest(directory);
    if (manifest.is_object() && manifest.contains("kind") && manifest["kind"].is_string())
      return manifest["kind"].get<std::string>();
  } catch (const InputError&) {
  }
  return {};
}

std::string manifest_identity(const fs::path& directory) {
  struct stat status {};
  if (stat((directory / kManifestName).c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {} {}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

bool is_finished(const fs::path& directory, std::string_view kind) {
  try {
    read_manifest(directory, kind);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

json read_manifest(const fs::path& directory, std::string_view kind) {
  const std::string name = directory.string();
  std::error_code error;
  if (!fs::is_directory(directory, error))
    throw InputError(fmt::format("{}: no such directory, expected a {}", name, kind));
  if (!fs::exists(fs::symlink_status(directory / kManifestName, error))) {
    throw InputError(
        fmt::format("{}: has no manifest.json, so it is unfinished or not a {}; run the stage that "
                    "writes it again",
                    name, kind));
  }
  json manifest = parse_manifest(directory);
  const auto damaged = [&](const char* what) {
    return InputError(fmt::format(
        "{}/manifest.json: damaged: {}; run the stage that writes it again", name, what));
  };
  if (!manifest.is_object() || !manifest.contains("kind") || !manifest["kind"].is_string())
    throw damaged("not the JSON object that was written");
  if (manifest["kind"] != kind) {
    throw InputError(
        fmt::format("{}: is a {}, expected a {}", name, manifest["kind"].get<std::string>(), kind));
  }
  const json version = manifest.value("format_version", json());
  const int newest = format_of(kind);
  if (version == kVersionWithoutHash) {
    if (manifest.contains(kHashKey)) throw damaged("it has a hash that its version does not have");
  } else if (!version.is_number_integer() || version < kVersionWithoutHash || version > newest) {
    throw InputError(fmt::format("{}/manifest.json: format version {}, this program reads {} to {}",
                                 name, version.dump(), kVersionWithoutHash, newest));
  } else if (manifest.value(kHashKey, json()) != own_hash(manifest)) {
    throw damaged("its content is not what its own hash says");
  }
  return manifest;
}

void check_files(const fs::path& directory, std::string_view kind, const json& manifest,
                 CheckedFiles which) {
  const auto chosen = [&](const std::string& file) {
    const bool vectors = file.starts_with(std::string(kVectorsFolder) + "/");
    return which == CheckedFiles::all || vectors == (which == CheckedFiles::vectors);
  };
  const char* cure = which == CheckedFiles::vectors ? "" : "; run the stage that writes it again";
  const json files = manifest.value("files", json());
  if (!files.is_object()) {
    // Models and graphs of format version 1 named none.
    if (manifest.value("format_version", json()) == kVersionWithoutHash) return;
    throw InputError(
        fmt::format("{}/manifest.json: damaged: it names no files", directory.string()));
  }
  for (const auto& [file, hash] : files.items()) {
    if (file_role(kind, file) != FileRole::content) {
      throw InputError(
          fmt::format("{}/manifest.json: damaged: it names the file '{}', which no {} "
                      "has",
                      directory.string(), file, kind));
    }
    if (chosen(file) && hash != hash_file(directory / file)) {
      throw InputError(fmt::format("{}: damaged: its hash is not the one in manifest.json{}",
                                   (directory / file).string(), cure));
    }
    if (const fs::path inner = directory / file; inner.filename() == kManifestName)
      check_files(inner.parent_path(), kind, read_manifest(inner.parent_path(), kind), which);
  }
  for (const std::string& file : files_below(directory)) {
    if (file_role(kind, file) == FileRole::content && !files.contains(file) && chosen(file)) {
      throw InputError(fmt::format("{}: is not among the files that manifest.json names{}",
                                   (directory / file).string(), cure));
    }
  }
}

}  // namespace penchant::pipeline
