// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/artifact_files.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string_view>;

const std::map<std::string_view, std::map<FileRole, Names>>& names_of_kinds() {
  static const std::map<std::string_view, std::map<FileRole, Names>> kNames = {
      {"data", {{FileRole::content, {"users.parquet", "items.parquet"}}}},
      {"graph", {}},
      {"partition", {{FileRole::content, {"parts.npy", "order.npy"}}}},
      {"model",
       {{FileRole::content,
         {"weights.safetensors", "head.safetensors", "distilled.safetensors", "metrics.jsonl",
          "config.toml", "choice.json", "items.ids.jsonl", "vectors/items.npy", "vectors/users.npy"}},
        {FileRole::resume,
         {"checkpoint.safetensors", "best.safetensors", "best_head0.safetensors",
          "best_head1.safetensors", "best_head2.safetensors"}},
        {FileRole::record, {"evaluation.json"}}}},
      {"embeddings",
       {{FileRole::content,
         {"items.npy",         "users.npy",         "items.ids.jsonl", "users.ids.jsonl",
          "items.parquet",     "users.parquet",     "items.arrow",     "users.arrow",
          "items.safetensors", "users.safetensors", "items.fbin",      "users.fbin",
          "items.hbin",        "users.hbin",        "items.jsonl",     "users.jsonl",
          "items.csv",         "users.csv",         "items.pgcopy",    "users.pgcopy",
          "items.pgvector",    "users.pgvector"}}}},
      {"compressed",
       {{FileRole::content,
         {"items.npy", "items.scales.npy", "items.codes.npy", "items.codebooks.npy",
          "items.map.npy", "items.faiss", "items.ids.jsonl", "users.npy", "users.scales.npy",
          "users.map.npy", "users.ids.jsonl"}}}},
      {"delta",
       {{FileRole::content,
         {"items.changed.parquet", "users.changed.parquet", "items.kept.parquet",
          "users.kept.parquet", "items.removed.jsonl", "users.removed.jsonl", "items.order.npy",
          "users.order.npy"}}}}};
  return kNames;
}

bool any_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// train/user.npy and so on.
bool is_column(std::string_view name) {
  for (const std::string_view part : {"train/", "validation/", "test/"}) {
    if (name.starts_with(part)) {
      return any_of(
          {"user.npy", "item.npy", "weight.npy", "time_ms.npy", "event.npy", "session.npy"},
          name.substr(part.size()));
    }
  }
  return false;
}

/// user_item.offsets.npy, relation12.values.npy, relation12.hub_values.npy and so on.
bool is_graph_array(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos ||
      !any_of({".offsets.npy", ".columns.npy", ".values.npy", ".hub_values.npy"}, name.substr(dot)))
    return false;
  std::string_view matrix = name.substr(0, dot);
  if (matrix == "user_item") return name.substr(dot) != ".hub_values.npy";
  if (!matrix.starts_with("relation")) return false;
  matrix.remove_prefix(8);
  return !matrix.empty() && matrix.size() < 10 &&
         matrix.find_first_not_of("0123456789") == std::string_view::npos;
}

/// STEM, a number, and one of `ends`.
bool is_numbered(std::string_view name, std::string_view stem,
                 std::initializer_list<std::string_view> ends) {
  if (!name.starts_with(stem)) return false;
  name.remove_prefix(stem.size());
  const auto dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && dot < 10 &&
         name.substr(0, dot).find_first_not_of("0123456789") == std::string_view::npos &&
         any_of(ends, name.substr(dot));
}

/// links0.offsets.npy and so on.
bool is_link_array(std::string_view name) {
  return is_numbered(name, "links", {".offsets.npy", ".columns.npy", ".values.npy"});
}

/// content0.items.npy and so on.
bool is_content_array(std::string_view name) {
  return is_numbered(name, "content",
                     {".items.npy", ".landmarks.npy", ".pieces.npy", ".projection.npy"});
}

/// "trained", "trained2" and so on.
bool is_numbered(std::string_view folder, std::string_view first) {
  if (!folder.starts_with(first)) return false;
  folder.remove_prefix(first.size());
  return folder.empty() || (folder.size() == 1 && folder[0] >= '2' && folder[0] <= '9');
}

/// Kind of the artefact inside `kind` that a folder of this name holds, or nothing.
std::string_view inner_kind(std::string_view kind, std::string_view folder) {
  if (folder.ends_with(kBeside)) folder.remove_suffix(std::string_view(kBeside).size());
  if (folder.empty()) return kind;  // where it could only grow inside the old one
  if (kind == "data" && (folder == "graph" || folder == "partition")) return folder;
  // Up to format version 2 the folder "vectors" held the model that is in "trained" now.
  if (kind == "model" &&
      (is_numbered(folder, "selection") || is_numbered(folder, "trained") || folder == "vectors"))
    return kind;
  return {};
}

/// The name that a temporary file has in the end; `name` itself if it is none.
std::string_view without_suffix(std::string_view name) {
  constexpr std::string_view kSuffix = ".partial";
  if (!name.ends_with(kSuffix)) return name;
  name.remove_suffix(kSuffix.size());
  const auto dot = name.rfind('.');
  const bool random =
      dot != std::string_view::npos && name.size() - dot == 13 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", dot + 1) == std::string_view::npos;
  return random ? name.substr(0, dot) : name;
}

}  // namespace

FileRole file_role(std::string_view kind, std::string_view name) {
  const std::string_view final = without_suffix(name);
  if (final != name)
    return file_role(kind, final) == FileRole::none ? FileRole::none : FileRole::record;
  if (any_of({"manifest.json", "run.json", kUnfinishedName}, name)) return FileRole::record;
  const auto known = names_of_kinds().find(kind);
  if (known == names_of_kinds().end()) return FileRole::none;
  for (const auto& [role, names] : known->second) {
    if (any_of(names, name)) return role;
  }
  if (kind == "data" && (is_column(name) || is_link_array(name) || is_content_array(name)))
    return FileRole::content;
  if (kind == "graph" && is_graph_array(name)) return FileRole::content;
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return FileRole::none;
  const std::string_view inner = inner_kind(kind, name.substr(0, slash));
  if (inner.empty() || file_role(inner, name.substr(slash + 1)) == FileRole::none)
    return FileRole::none;
  // The manifest of a trained model that a model is made of guards it; the model's guards that.
  const bool guarded =
      is_numbered(name.substr(0, slash), "trained") || name.starts_with("vectors/");
  return guarded && name.substr(slash) == "/manifest.json" ? FileRole::content : FileRole::artefact;
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) continue;
    names.push_back(entry->path().lexically_relative(folder).generic_string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw InputError(
        fmt::format("{}: cannot list its files: {}", folder.string(), error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void remove_files_of(const fs::path& folder, std::string_view kind, std::string_view except) {
  std::error_code error;
  std::vector<fs::path> folders = {folder};
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_directory(error) && !entry->is_symlink(error)) folders.push_back(entry->path());
  }
  for (const std::string& name : files_below(folder)) {
    if (name == except || file_role(kind, name) == FileRole::none) continue;
    if (!fs::remove(folder / name, error) && error)
      throw InputError(
          fmt::format("{}: cannot remove it: {}", (folder / name).string(), error.message()));
  }
  // Inner folders come behind their outer ones; those that still hold something refuse.
  for (auto inner = folders.rbegin(); inner != folders.rend(); ++inner) fs::remove(*inner, error);
}

}  // namespace penchant::pipeline
