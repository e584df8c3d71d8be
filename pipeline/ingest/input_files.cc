// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/input_files.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <string>
#include <system_error>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/ingest/recbole.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

using Paths = std::vector<fs::path>;

bool has_wildcard(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos;
}

bool is_marker(const fs::path& name) {
  const std::string text = name.string();
  return text.starts_with('_') || text.starts_with('.');
}

/// Entries of a folder; those that start with _ or . only if asked for.
Paths entries_of(const fs::path& folder, bool markers) {
  std::error_code error;
  Paths entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (markers || !is_marker(entry->path().filename())) entries.push_back(entry->path());
  }
  if (error)
    throw InputError(
        fmt::format("{}: cannot read the folder: {}", folder.string(), error.message()));
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

void add_folder(const fs::path& folder, Paths& files) {
  for (const fs::path& entry : entries_of(folder, false)) {
    if (!fs::is_directory(entry))
      files.push_back(entry);
    else if (!fs::is_symlink(entry))  // one may lead back to where we are
      add_folder(entry, files);
  }
}

/// What the rest of a pattern's components match behind `base`.
void add_matches(const fs::path& base, fs::path::const_iterator component,
                 const fs::path::const_iterator& end, Paths& matches) {
  if (component == end) {
    matches.push_back(base);
    return;
  }
  const std::string text = component->string();
  const auto next = std::next(component);
  const fs::path folder = base.empty() ? fs::path(".") : base;
  if (!has_wildcard(text)) {
    const fs::path path = base / text;
    if (fs::exists(path)) add_matches(path, next, end, matches);
    return;
  }
  if (!fs::is_directory(folder)) return;
  const auto in_base = [&](const fs::path& entry) { return base / entry.filename(); };
  if (text == "**") {
    add_matches(base, next, end, matches);
    for (const fs::path& entry : entries_of(folder, false)) {
      if (fs::is_directory(entry) && !fs::is_symlink(entry))
        add_matches(in_base(entry), component, end, matches);
      else if (next == end)
        matches.push_back(in_base(entry));
    }
    return;
  }
  for (const fs::path& entry : entries_of(folder, is_marker(text))) {
    if (fnmatch(text.c_str(), entry.filename().c_str(), 0) == 0)
      add_matches(in_base(entry), next, end, matches);
  }
}

Paths expand_pattern(const fs::path& pattern) {
  Paths matches;
  add_matches({}, pattern.begin(), pattern.end(), matches);
  Paths files;
  for (const fs::path& match : matches) {
    if (fs::is_directory(match))
      add_folder(match, files);
    else
      files.push_back(match);
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::string_view key_of(InputRole role) {
  switch (role) {
    case InputRole::log:
      return "the log";
    case InputRole::validation:
      return "data.validation";
    case InputRole::test:
      return "data.test";
    case InputRole::items:
      return "data.items.table";
    case InputRole::attributes:
      return "data.attributes_file";
    case InputRole::links:
      return "data.relations";
    case InputRole::vectors:
      return "data.items.vectors";
    case InputRole::accounts:
      return "data.same_user";
  }
  return "";
}

/// A row read twice, or trained on and tested with, is a mistake of the list.
void check_distinct(const std::vector<InputFile>& files) {
  std::map<fs::path, InputRole> seen;
  for (const InputFile& file : files) {
    if (!is_log(file.role)) continue;
    const auto [known, is_new] = seen.emplace(file.path.lexically_normal(), file.role);
    if (is_new) continue;
    throw InputError(known->second == file.role
                         ? fmt::format("{}: named twice by {}, expected each file once",
                                       file.path.string(), key_of(file.role))
                         : fmt::format("{}: named by {} and by {}, expected each file in one part",
                                       file.path.string(), key_of(known->second),
                                       key_of(file.role)));
  }
}

}  // namespace

Paths expand_files(const Paths& given, std::string_view key, const TableReadOptions& text) {
  Paths files;
  for (const fs::path& path : given) {
    const std::size_t before = files.size();
    if (frame_of(path, text) != nullptr) {
      files.push_back(path);
    } else if (fs::is_directory(path)) {
      add_folder(path, files);
      if (files.size() == before) {
        throw InputError(fmt::format(
            "{}: no data files in the folder of {} (names that start with _ or . do not count)",
            path.string(), key));
      }
    } else if (fs::exists(path)) {
      files.push_back(path);
    } else if (has_wildcard(path.string())) {
      const Paths matches = expand_pattern(path);
      if (matches.empty())
        throw InputError(fmt::format("{}: no file matches the pattern of {}", path.string(), key));
      files.insert(files.end(), matches.begin(), matches.end());
    } else {
      throw InputError(fmt::format("{}: no such file", path.string()));
    }
  }
  return files;
}

IngestOptions with_files(const IngestOptions& given, Progress& progress) {
  IngestOptions options =
      given.format == InputFormat::recbole ? recbole_as_table(given, progress) : given;
  const TableReadOptions& text = options.log.text;
  options.log.files = expand_files(options.log.files, "data.log", text);
  options.train_files = expand_files(options.train_files, "data.train");
  options.validation_files = expand_files(options.validation_files, "data.validation", text);
  options.test_files = expand_files(options.test_files, "data.test", text);
  if (has_item_table(options))
    options.item_table->files =
        expand_files(options.item_table->files, "data.items.table", options.item_table->text);
  for (LinkTable& links : options.links)
    links.source.files = expand_files(links.source.files, "data.relations", links.source.text);
  return options;
}

std::vector<InputFile> input_files(const IngestOptions& options) {
  std::vector<InputFile> files;
  const auto add_table = [&](const Paths& paths, InputRole role, const TableReadOptions& text) {
    for (const fs::path& path : paths) {
      if (path.empty()) continue;
      const Frame* frame = frame_of(path, text);
      if (frame == nullptr && !fs::exists(path))
        throw InputError(fmt::format("{}: no such file", path.string()));
      files.push_back({path, role, frame});
    }
  };
  const auto add = [&](const Paths& paths, InputRole role) {
    add_table(paths, role, role == InputRole::items ? options.item_table->text : options.log.text);
  };
  switch (options.format) {
    case InputFormat::table:
    case InputFormat::recbole:
      add(options.log.files, InputRole::log);
      break;
    case InputFormat::lightgcn:
      add(options.train_files, InputRole::log);
      break;
    case InputFormat::s3rec:
      add({options.sequences_file}, InputRole::log);
      break;
  }
  if (options.format != InputFormat::s3rec) {
    add(options.validation_files, InputRole::validation);
    add(options.test_files, InputRole::test);
  }
  if (has_item_table(options)) add(options.item_table->files, InputRole::items);
  if (options.format == InputFormat::s3rec) add({options.attributes_file}, InputRole::attributes);
  for (const LinkTable& links : options.links)
    add_table(links.source.files, InputRole::links, links.source.text);
  for (const VectorSource& source : options.vectors)
    add({source.file, source.ids}, InputRole::vectors);
  add({options.privacy.same_user}, InputRole::accounts);
  check_distinct(files);
  return files;
}

graph::SplitMethod default_split(const IngestOptions& options) {
  using graph::SplitMethod;
  if (has_given_parts(options)) return SplitMethod::given;
  if (options.format == InputFormat::lightgcn) return SplitMethod::random_per_user;
  if (options.format == InputFormat::s3rec || options.time_format == kOrderOfRows)
    return SplitMethod::leave_one_out;
  return options.columns.time.empty() ? SplitMethod::random_per_user : SplitMethod::global_time;
}

}  // namespace penchant::pipeline
