// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/versions.h"

#include <charconv>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kEarlier = "earlier";
/// Older ones are forgotten: a model of them is trained anew.
constexpr std::size_t kMostEarlier = 1000;

/// The number of the version that a folder of this name is of `artefact`; 0: none.
std::int64_t number_of(const fs::path& folder, const fs::path& artefact) {
  const std::string name = folder.filename().string();
  const std::string first = artefact.filename().string() + ".v";
  if (!name.starts_with(first)) return 0;
  std::int64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + first.size(), end, number);
  return error == std::errc() && stop == end && number > 0 ? number : 0;
}

fs::path without_slash(const fs::path& given) {
  const fs::path path = given.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

/// Of kept versions, and of one that is complete and not yet in place, or no longer.
std::vector<fs::path> folders_beside(const fs::path& artefact) {
  const fs::path path = without_slash(artefact);
  std::vector<fs::path> folders = {path.string() + kBeside};
  std::error_code error;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    if (number_of(entry->path(), path) > 0) folders.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw InputError(
        fmt::format("{}: cannot list its folders: {}", parent.string(), error.message()));
  }
  return folders;
}

/// Of a finished artefact, what its manifest says under `key`; empty: it is none, or says nothing.
std::string text_of(const fs::path& folder, std::string_view kind, const char* key) {
  try {
    const json manifest = read_manifest(folder, kind);
    const auto found = manifest.find(key);
    return found != manifest.end() && found->is_string() ? found->get<std::string>() : "";
  } catch (const InputError&) {
    return "";
  }
}

}  // namespace

fs::path version_folder(const fs::path& artefact, std::int64_t version) {
  return fmt::format("{}.v{}", without_slash(artefact).string(), version);
}

std::int64_t version_of(const json& manifest) { return manifest.value("version", std::int64_t{1}); }

void remove_old_versions(const fs::path& artefact, std::string_view kind, std::int64_t version,
                         std::int64_t keep) {
  for (const fs::path& folder : folders_beside(artefact)) {
    const std::int64_t number = number_of(folder, without_slash(artefact));
    if (number == 0 || number >= version - keep || manifest_kind(folder) != kind) continue;
    remove_files_of(folder, kind, kManifestName);  // last: killed meanwhile, it is known again
    remove_files_of(folder, kind);
  }
}

fs::path data_of_model(const fs::path& data, const fs::path& model) {
  const std::string wanted = text_of(model, kModelArtifact, "data_hash");
  if (wanted.empty() || text_of(data, kDataArtifact, "hash") == wanted) return data;
  for (const fs::path& folder : folders_beside(data)) {
    if (text_of(folder, kDataArtifact, "hash") == wanted) return folder;
  }
  return data;
}

void add_earlier_version(json& provenance, const EarlierData& earlier) {
  json& list = provenance[kEarlier];
  if (!list.is_array()) list = json::array();
  json entry = {
      {"hash", earlier.hash}, {"num_users", earlier.num_users}, {"num_items", earlier.num_items}};
  if (earlier.latest_time_ms) entry["latest_time_ms"] = *earlier.latest_time_ms;
  list.push_back(std::move(entry));
  while (list.size() > kMostEarlier) list.erase(list.begin());
}

std::optional<EarlierData> earlier_version(const json& provenance, std::string_view hash) {
  const auto list = provenance.find(kEarlier);
  if (list == provenance.end()) return std::nullopt;
  for (const json& entry : *list) {
    if (entry.at("hash") != hash) continue;
    EarlierData earlier = {entry.at("hash"), entry.at("num_users"), entry.at("num_items"), {}};
    if (entry.contains("latest_time_ms"))
      earlier.latest_time_ms = entry.at("latest_time_ms").get<std::int64_t>();
    return earlier;
  }
  return std::nullopt;
}

}  // namespace penchant::pipeline
