// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/artifact.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/version.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// More is no marker of ours.
constexpr std::uint64_t kMostMarkerBytes = 4096;

InputError failure(const fs::path& path, const char* what, const std::string& reason) {
  return InputError(fmt::format("{}: {}: {}", path.string(), what, reason));
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string marker_text(std::string_view kind) {
  return json{{"kind", kind},        {"program", "penchant"},    {"version", kVersion},
              {"process", getpid()}, {"since", time_now_text()}, {"host", host_name()}}
             .dump() +
         "\n";
}

/// The marker of a folder: null if there is none, an object without "kind" if it is not ours.
json read_marker(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder / kUnfinishedName, error))) return nullptr;
  try {
    const std::string text = graph::read_file(folder / kUnfinishedName, kMostMarkerBytes);
    const json marker = json::parse(text, nullptr, false);
    if (marker.is_object() && marker.value("program", json()) == "penchant" &&
        marker.contains("kind") && marker["kind"].is_string())
      return marker;
    // Earlier versions wrote the kind alone.
    if (!text.empty() && text.back() == '\n')
      return {{"kind_alone", text.substr(0, text.size() - 1)}};
  } catch (const InputError&) {
  }
  return json::object();
}

/// "process 12 since 2026-11-28T22:43:18Z, on host h", as far as it is known.
std::string user_of(const fs::path& folder) {
  const json marker = read_marker(folder);
  if (!marker.is_object() || !marker.contains("process")) return {};
  const auto text = [&](const char* key) {
    const json value = marker.value(key, json());
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  return fmt::format("process {} since {}, on host {}", text("process"), text("since"),
                     text("host"));
}

/// Nothing but what a process left that was killed while it wrote its marker.
bool holds_nothing(const fs::path& folder, std::string_view kind) {
  const std::string begun = std::string(kUnfinishedName) + ".";
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(error) || !name.starts_with(begun) ||
        file_role(kind, name) == FileRole::none)
      return false;
  }
  return !error;
}

enum class State { absent, empty, unfinished, finished, damaged, foreign };

/// What is in a folder, looked at as a place for an artefact of `kind`. Throws InputError where it
/// holds an artefact of another kind.
State state_of(const fs::path& folder, std::string_view kind) {
  std::error_code error;
  if (!fs::exists(folder, error)) return State::absent;
  if (!fs::is_directory(folder, error)) {
    throw InputError(fmt::format("{}: is a file, expected a directory to write the {} into",
                                 folder.string(), kind));
  }
  const auto refuse = [&](const std::string& what) {
    return InputError(
        fmt::format("{}: holds {}; refusing to write a {} over it", folder.string(), what, kind));
  };
  const auto all_known = [&](std::size_t least) {
    const std::vector<std::string> names = files_below(folder);
    return names.size() >= least && std::all_of(names.begin(), names.end(), [&](const auto& name) {
             return file_role(kind, name) != FileRole::none;
           });
  };
  if (fs::exists(folder / kManifestName, error)) {
    const std::string found = manifest_kind(folder);
    if (found == kind) return State::finished;
    if (!found.empty()) throw refuse("a " + found);
    // Damaged beyond knowing what it was: ours if everything beside it is.
    if (!all_known(2)) throw refuse("a manifest.json that is not ours");
    return State::damaged;
  }
  if (holds_nothing(folder, kind)) return State::empty;
  const json marker = read_marker(folder);
  if (marker.is_null()) return State::foreign;
  if (marker.contains("kind")) {
    if (marker["kind"] == kind) return State::unfinished;
    throw refuse(fmt::format("an unfinished {}", marker["kind"].get<std::string>()));
  }
  if (marker.value("kind_alone", "") == kind && all_known(1)) return State::unfinished;
  if (marker.contains("kind_alone") && all_known(2))
    throw refuse(fmt::format("an unfinished {}", marker["kind_alone"].get<std::string>()));
  return State::foreign;
}

[[noreturn]] void refuse_foreign(const fs::path& folder, std::string_view kind) {
  throw InputError(
      fmt::format("{}: holds files, but neither a finished {} nor one that was begun; refusing to "
                  "write among them: expected a new or an empty folder",
                  folder.string(), kind));
}

bool same_file(int descriptor, const fs::path& path) {
  struct stat held {};
  struct stat there {};
  return fstat(descriptor, &held) == 0 && stat(path.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/// Throws if somebody else has it. A file system without such locks gives none.
void lock(int descriptor, const fs::path& artefact, const fs::path& folder) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) return;
  std::string user;
  // Who has just locked writes its name next.
  for (int attempt = 0; attempt < 20 && user.empty(); ++attempt) {
    for (const fs::path& place : {folder, fs::path(artefact.string() + kBeside), artefact}) {
      if (user.empty()) user = user_of(place);
    }
    if (user.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw ArtifactInUse(fmt::format("{}: in use by {}; wait until it has ended, or write elsewhere",
                                  artefact.string(), user.empty() ? "another process" : user));
}

/// The lock on a folder that may be exchanged for another one in the meantime.
graph::Descriptor lock_folder(const fs::path& folder, const fs::path& artefact) {
  for (;;) {
    graph::Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.valid()) throw failure(folder, "cannot open the directory", std::strerror(errno));
    lock(opened.get(), artefact, folder);
    if (same_file(opened.get(), folder)) return opened;
  }
}

/// True if it made the folder.
bool make_folder(const fs::path& folder) {
  std::error_code error;
  const bool made = fs::create_directories(folder, error);
  if (error) throw failure(folder, "cannot create the directory", error.message());
  return made;
}

/// A mount point or a folder whose parent may not be written cannot be exchanged, and one that we
/// stand in must not be.
bool can_grow_beside(const fs::path& folder) {
  std::error_code error;
  const fs::path here = fs::canonical(".", error);
  const fs::path there = fs::canonical(folder, error);
  if (error ||
      std::mismatch(there.begin(), there.end(), here.begin(), here.end()).first == there.end())
    return false;
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  struct stat inner {};
  struct stat outer {};
  return access(parent.c_str(), W_OK | X_OK) == 0 && stat(folder.c_str(), &inner) == 0 &&
         stat(parent.c_str(), &outer) == 0 && inner.st_dev == outer.st_dev;
}

/// Moves the files that `moves` chooses to the same place in another folder, where there is none.
template <typename Moves>
void move_files(const fs::path& from, const fs::path& to, Moves moves) {
  for (const std::string& name : files_below(from)) {
    if (!moves(name)) continue;
    make_folder((to / name).parent_path());
    std::error_code error;
    if (fs::exists(fs::symlink_status(to / name, error))) continue;
    fs::rename(from / name, to / name, error);
    if (error) throw failure(to / name, "cannot move it into place", error.message());
  }
}

/// The path without a slash at its end, and where it leads if it is a link.
fs::path real_folder(fs::path path) {
  path = path.lexically_normal();
  if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
  std::error_code error;
  if (path == "." || path == ".." || path.filename() == ".." || fs::is_symlink(path, error)) {
    const fs::path target = fs::canonical(path, error);
    if (!error) return target;
  }
  return path;
}

/// False where folders cannot be exchanged at all. A disk that fails is an error and leaves what is
/// there as it is: file by file the old one would be half gone when the next file fails, too.
bool exchange_folders(const fs::path& made, const fs::path& target) {
  if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0)
    return true;
  const int reason = errno;
  constexpr std::array kNotHere = {EINVAL, ENOSYS, EOPNOTSUPP, EXDEV, EBUSY, EPERM, EACCES};
  if (std::find(kNotHere.begin(), kNotHere.end(), reason) != kNotHere.end()) return false;
  std::error_code ignored;
  fs::remove(target / kUnfinishedName, ignored);
  throw failure(target, "cannot put the new one in its place", std::strerror(reason));
}

/// What takes the place of a finished artefact outlives a power cut as that did.
void flush_content(const fs::path& folder, const json& files) {
  std::set<fs::path> folders;
  for (const auto& [name, hash] : files.items()) {
    const graph::Descriptor file = graph::open_regular(folder / name);
    if (fsync(file.get()) != 0)
      throw failure(folder / name, "cannot flush to disk", std::strerror(errno));
    folders.insert((folder / name).parent_path());
  }
  for (const fs::path& each : folders) graph::flush_folder(each);
}

}  // namespace

ArtifactWriter::ArtifactWriter(const Destination& destination, std::string_view kind)
    : target_(real_folder(destination.path)),
      keep_as_(destination.keep_as),
      kind_(kind),
      stamp_(destination.stamp),
      before_in_place_(destination.before_in_place) {
  if (state_of(target_, kind_) == State::foreign) refuse_foreign(target_, kind_);
  made_target_ = make_folder(target_);
  target_lock_ = lock_folder(target_, target_);
  choose_folder();
  try {
    lock_marker();  // somebody else's, where folders cannot be locked
    write_file_atomically(folder_ / kUnfinishedName, marker_text(kind_));
    lock_marker();
    std::error_code error;
    if (folder_ == target_ || !fs::exists(folder_ / kManifestName, error)) return;
    // It was replaced, or complete and not yet in place.
    if (fs::exists(folder_ / kCheckpointName, error))
      fs::remove(folder_ / kManifestName, error);
    else
      clear();
  } catch (...) {
    std::error_code ignored;
    if (made_target_) fs::remove(target_, ignored);
    if (folder_ != target_) fs::remove(folder_, ignored);
    throw;
  }
}

void ArtifactWriter::lock_marker() {
  graph::Descriptor marker(
      open((folder_ / kUnfinishedName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (marker.valid()) lock(marker.get(), target_, folder_);
  marker_lock_ = std::move(marker);
}

void ArtifactWriter::choose_folder() {
  folder_ = target_;
  switch (state_of(target_, kind_)) {
    case State::foreign:
      refuse_foreign(target_, kind_);
    case State::absent:
    case State::empty:
    case State::unfinished:
      return;
    case State::finished:
    case State::damaged:
      break;
  }
  folder_ = can_grow_beside(target_) ? fs::path(target_.string() + kBeside) : target_ / kBeside;
  make_folder(folder_);
  folder_lock_ = lock_folder(folder_, target_);
  // A finished artefact of that name may be somebody's, unless a marker says that it was replaced.
  const json marker = read_marker(folder_);
  const bool ours = marker.is_object() && marker.value("kind", "") == kind_;
  if (!ours && !holds_nothing(folder_, kind_)) refuse_foreign(folder_, kind_);
}

ArtifactWriter::~ArtifactWriter() {
  if (keep_ || resumable()) return;
  try {
    clear();
    std::error_code ignored;
    fs::remove(folder_ / kUnfinishedName, ignored);
    if (folder_ != target_ || made_target_) fs::remove(folder_, ignored);
  } catch (const InputError&) {
    // What cannot be removed is unfinished, as its marker or the missing manifest says.
  }
}

bool ArtifactWriter::resumable() const {
  std::error_code error;
  return kind_ == "model" &&
         (fs::exists(folder_ / kCheckpointName, error) || fs::exists(folder_ / kChoiceName, error));
}

void ArtifactWriter::clear() { remove_files_of(folder_, kind_, kUnfinishedName); }

void ArtifactWriter::finish(json manifest) { finish(std::move(manifest), json::object()); }

void ArtifactWriter::finish(json manifest, json hashes) {
  json files = json::object();
  for (const std::string& name : files_below(folder_)) {
    if (file_role(kind_, name) != FileRole::content) continue;
    const auto known = hashes.find(name);
    files[name] = known != hashes.end() ? *known : json(hash_file(folder_ / name));
  }
  for (const auto& [name, hash] : hashes.items()) PENCHANT_ASSERT(files.contains(name));
  if (folder_ != target_) flush_content(folder_, files);
  manifest["files"] = std::move(files);
  manifest["kind"] = kind_;
  manifest["penchant_version"] = kVersion;
  manifest["created"] = time_now_text();
  std::error_code ignored;
  fs::remove(folder_ / kStampName, ignored);
  if (!stamp_.empty()) write_file_atomically(folder_ / kStampName, stamp_);
  write_manifest(folder_, std::move(manifest));
  if (!holds_) put_in_place();
}

void ArtifactWriter::put_in_place() {
  if (before_in_place_) before_in_place_();
  exchange();
  keep_ = true;
  std::error_code ignored;
  fs::remove(target_ / kUnfinishedName, ignored);
  try {
    for (const std::string& name : files_below(target_)) {
      if (file_role(kind_, name) == FileRole::resume) fs::remove(target_ / name, ignored);
    }
  } catch (const InputError&) {
    // They are no part of what is finished.
  }
}

void ArtifactWriter::exchange() {
  if (folder_ == target_) return;
  std::error_code error;
  fs::permissions(folder_, fs::status(target_).permissions(), error);
  // Whatever happens from here on, what is to be thrown away says so.
  write_file_atomically(target_ / kUnfinishedName, marker_text(kind_));
  if (folder_.parent_path() == target_ || !exchange_folders(folder_, target_)) {
    if (!keep_as_.empty()) {
      throw InputError(
          fmt::format("{}: folders cannot be exchanged here, and what it replaces is to be kept as "
                      "{}; expected a folder whose parent can be written to, on the same file "
                      "system, that nobody stands in",
                      target_.string(), keep_as_.string()));
    }
    move_in_place();
    return;
  }
  graph::flush_folder(target_.parent_path());
  try {
    move_files(folder_, target_,
               [&](const std::string& name) { return file_role(kind_, name) == FileRole::none; });
    if (keep_as_.empty()) remove_replaced();
  } catch (const InputError&) {
    // What is finished is in place; the marker of the old one lets the next writer try again.
  }
  if (!keep_as_.empty()) keep_replaced();
}

/// The marker last: killed meanwhile, what is left says that it is to go.
void ArtifactWriter::remove_replaced() {
  remove_files_of(folder_, kind_, kUnfinishedName);
  remove_files_of(folder_, kind_);
}

/// What was replaced lies where the new one grew.
void ArtifactWriter::keep_replaced() {
  std::error_code error;
  if (state_of(keep_as_, kind_) != State::absent) remove_files_of(keep_as_, kind_);
  fs::rename(folder_, keep_as_, error);
  if (error) throw failure(keep_as_, "cannot keep what was replaced", error.message());
  fs::remove(keep_as_ / kUnfinishedName, error);
  for (const std::string& name : files_below(keep_as_)) {
    if (file_role(kind_, name) == FileRole::resume) fs::remove(keep_as_ / name, error);
  }
}

/// Where folders cannot be exchanged: file by file, the manifest last.
void ArtifactWriter::move_in_place() {
  const std::string inside = std::string(kBeside) + "/";
  std::error_code error;
  fs::remove(target_ / kManifestName, error);
  if (error) throw failure(target_ / kManifestName, "cannot remove it", error.message());
  for (const std::string& name : files_below(target_)) {
    if (name == kUnfinishedName || name.starts_with(inside) ||
        file_role(kind_, name) == FileRole::none)
      continue;
    fs::remove(target_ / name, error);
    if (error) throw failure(target_ / name, "cannot remove it", error.message());
  }
  move_files(folder_, target_, [](const std::string& name) {
    return name != kManifestName && name != kUnfinishedName;
  });
  move_files(folder_, target_, [](const std::string& name) { return name == kManifestName; });
  remove_replaced();
}

fs::path resumable_training(const fs::path& directory) {
  const fs::path target = real_folder(directory);
  std::error_code error;
  for (const fs::path& folder : {fs::path(target.string() + kBeside), target / kBeside, target}) {
    if (!fs::exists(folder / kUnfinishedName, error) || fs::exists(folder / kManifestName, error))
      continue;
    if (fs::exists(folder / kCheckpointName, error) || fs::exists(folder / kChoiceName, error))
      return folder;
  }
  return {};
}

}  // namespace penchant::pipeline
