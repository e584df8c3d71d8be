// SPDX-License-Identifier: Apache-2.0
#include "pipeline/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>

#include <fmt/core.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/memory.h"
#include "pipeline/version.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kManifestName = "manifest.json";
/// In a folder that a stage has begun to write and not finished.
constexpr const char* kUnfinishedName = "unfinished";

std::string hex(XXH64_hash_t hash) { return fmt::format("{:016x}", hash); }

std::string system_error() { return std::strerror(errno); }

/// Removes the temporary file unless it has been renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : path_(target.string() + ".partial") {}
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const fs::path& path() const { return path_; }
  void rename_to(const fs::path& target) {
    std::error_code error;
    fs::rename(path_, target, error);
    if (error)
      throw InputError(fmt::format("{}: cannot rename the finished file into place: {}",
                                   target.string(), error.message()));
    path_.clear();
  }

 private:
  fs::path path_;
};

void flush_to_disk(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw InputError(fmt::format("{}: {}", path.string(), system_error()));
  const int status = fsync(descriptor);
  const std::string reason = system_error();
  close(descriptor);
  if (status != 0)
    throw InputError(fmt::format("{}: cannot flush to disk: {}", path.string(), reason));
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
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw InputError(fmt::format("{}: cannot open the file: {}", path.string(), system_error()));
  Hasher hasher;
  std::vector<char> block(std::size_t{1} << 20);
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    hasher.update({block.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (file.bad())
    throw InputError(fmt::format("{}: read error: {}", path.string(), system_error()));
  return hasher.digest();
}

void write_file_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  TemporaryFile temporary(path);
  {
    errno = 0;
    std::ofstream file(temporary.path(), std::ios::binary | std::ios::trunc);
    if (!file) throw InputError(fmt::format("{}: cannot write: {}", path.string(), system_error()));
    write(file);
    file.flush();
    if (!file)
      throw InputError(fmt::format("{}: cannot write: {}", path.string(),
                                   errno != 0 ? system_error() : "write failed"));
  }
  flush_to_disk(temporary.path());
  temporary.rename_to(path);
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  });
}

bool is_finished(const fs::path& directory) {
  return fs::is_regular_file(directory / kManifestName);
}

void begin_artifact(const fs::path& directory, std::string_view kind) {
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_directory(directory, error)) {
    throw InputError(fmt::format("{}: is a file, expected a directory to write the {} into",
                                 directory.string(), kind));
  }
  const bool finished = is_finished(directory);
  if (!finished && !fs::exists(directory / kUnfinishedName, error) &&
      fs::exists(directory, error) && !fs::is_empty(directory, error)) {
    throw InputError(fmt::format(
        "{}: holds files, but neither a finished {} nor one that was begun; refusing to "
        "write among them: expected a new or an empty folder",
        directory.string(), kind));
  }
  if (finished) {
    std::ifstream file(directory / kManifestName);
    const nlohmann::json old = nlohmann::json::parse(file, nullptr, false);
    const std::string old_kind = old.is_object() ? old.value("kind", "") : "";
    if (old_kind != kind) {
      throw InputError(fmt::format(
          "{}: holds {}; refusing to write a {} over it", directory.string(),
          old_kind.empty() ? "a manifest.json that is not ours" : "a " + old_kind, kind));
    }
  }
  fs::create_directories(directory, error);
  if (error)
    throw InputError(
        fmt::format("{}: cannot create the directory: {}", directory.string(), error.message()));
  write_file_atomically(directory / kUnfinishedName, fmt::format("{}\n", kind));
  fs::remove(directory / kManifestName, error);
  if (!error) fs::remove(directory / kStampName, error);
  if (error)
    throw InputError(
        fmt::format("{}: cannot remove the old manifest: {}", directory.string(), error.message()));
}

void finish_artifact(const fs::path& directory, std::string_view kind, nlohmann::json manifest) {
  manifest["kind"] = kind;
  manifest["format_version"] = kFormatVersion;
  manifest["penchant_version"] = kVersion;
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::array<char, 32> text{};
  std::tm utc{};
  std::strftime(text.data(), text.size(), "%FT%TZ", gmtime_r(&now, &utc));
  manifest["created"] = text.data();
  write_file_atomically(directory / kManifestName, manifest.dump(2) + "\n");
  std::error_code ignored;  // beside a manifest it means nothing
  fs::remove(directory / kUnfinishedName, ignored);
}

nlohmann::json resources_since(std::chrono::steady_clock::time_point start) {
  return {
      {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()},
      {"peak_bytes", peak_memory()}};
}

nlohmann::json read_manifest(const fs::path& directory, std::string_view kind) {
  const std::string name = directory.string();
  if (!fs::is_directory(directory))
    throw InputError(fmt::format("{}: no such directory, expected a {}", name, kind));
  if (!is_finished(directory)) {
    throw InputError(
        fmt::format("{}: has no manifest.json, so it is unfinished or not a {}; run the stage that "
                    "writes it again",
                    name, kind));
  }
  std::ifstream file(directory / kManifestName);
  nlohmann::json manifest = nlohmann::json::parse(file, nullptr, false);
  if (!manifest.is_object() || !manifest.contains("kind") || !manifest["kind"].is_string()) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: not the JSON object that was written", name));
  }
  if (manifest["kind"] != kind) {
    throw InputError(
        fmt::format("{}: is a {}, expected a {}", name, manifest["kind"].get<std::string>(), kind));
  }
  const int version = manifest.value("format_version", 0);
  if (version != kFormatVersion) {
    throw InputError(
        fmt::format("{}: format version {}, this program reads {}", name, version, kFormatVersion));
  }
  return manifest;
}

}  // namespace penchant::pipeline
