// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/ingest_steps.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

void tell_empty(const std::vector<FileAccount>& files, Progress& progress) {
  std::vector<std::string> empty;
  constexpr std::size_t kShown = 5;
  for (const FileAccount& file : files) {
    if (file.rows.read == 0) empty.push_back(file.path.string());
  }
  if (empty.empty() || files.size() == 1) return;
  const std::size_t more = empty.size() - std::min(empty.size(), kShown);
  empty.resize(empty.size() - more);
  progress.warn(fmt::format("{} of {} files have no rows: {}{}", empty.size() + more, files.size(),
                            fmt::join(empty, ", "),
                            more > 0 ? fmt::format(" and {} more", more) : std::string()));
}

void judge_repeats(Dataset& dataset, graph::Repeats repeats) {
  constexpr double kShareThatCounts = 0.05;
  const auto raw_ids = [](const graph::Dictionary& dictionary) {
    return [&](NodeId id) { return fmt::format("'{}'", dictionary.raw(id)); };
  };
  dataset.repeated_share =
      graph::check_no_leak(dataset.split, repeats, raw_ids(dataset.users), raw_ids(dataset.items));
  dataset.repeats_allowed = dataset.repeated_share >= kShareThatCounts;
}

void judge_repeats(Dataset& dataset, const IngestOptions& options) {
  const bool may_repeat =
      options.repeats == RepeatPolicy::keep_all && options.format != InputFormat::lightgcn;
  judge_repeats(dataset, may_repeat ? graph::Repeats::allowed : graph::Repeats::forbidden);
}

nlohmann::json inputs_to_json(const std::vector<InputFile>& files, const ReadResult& read) {
  nlohmann::json inputs = nlohmann::json::array();
  for (const auto& [file, role, frame] : files) {
    if (frame != nullptr) {
      inputs.push_back({{"file", file.string()},
                        {"role", kInputRoles[static_cast<std::size_t>(role)]},
                        {"rows", frame->num_rows}});
      continue;
    }
    const auto known = read.input_hashes.find(file.string());
    const bool hashed = known != read.input_hashes.end() && !known->second.empty();
    inputs.push_back({{"file", hide_environment(file.filename().string())},
                      {"role", kInputRoles[static_cast<std::size_t>(role)]},
                      {"bytes", fs::file_size(file)},
                      {"hash", hashed ? known->second : hash_file(file)}});
  }
  return inputs;
}

void check_parts(const std::vector<FileAccount>& files, const graph::SplitInteractions& split) {
  std::array<std::int64_t, 3> kept{};
  for (const FileAccount& file : files) {
    for (std::size_t part = 0; part < kept.size(); ++part) kept[part] += file.kept_in[part];
  }
  const std::array<std::int64_t, 3> sizes = {split.train.interactions.size(),
                                             split.validation.size(), split.test.size()};
  if (kept != sizes) {
    throw InputError(
        fmt::format("internal error: the parts have {} rows, but {} are accounted for; "
                    "nothing was written. Please report this",
                    fmt::join(sizes, ", "), fmt::join(kept, ", ")));
  }
}

void close_accounts(std::vector<FileAccount>& files, std::initializer_list<RowCounts*> sums) {
  for (FileAccount& file : files) {
    check_account(file);
    for (RowCounts::Reason& reason : file.rows.rejected)
      reason.example = hide_environment(reason.example);  // it has the file's path
  }
  for (RowCounts* rows : sums) {
    for (RowCounts::Reason& reason : rows->rejected)
      reason.example = hide_environment(reason.example);
  }
}

std::int64_t rows_of_reason(const RowCounts& rows, std::string_view reason) {
  std::int64_t count = 0;
  for (const RowCounts::Reason& known : rows.rejected)
    count += known.reason == reason ? known.rows : 0;
  return count;
}

void tell_rejections(std::initializer_list<const RowCounts*> sums, Progress& progress) {
  for (const RowCounts* rows : sums) {
    for (const auto& reason : rows->rejected) {
      if (reason.is_error)
        progress.warn(fmt::format("{} rows rejected: {} (first: {})", reason.rows, reason.reason,
                                  reason.example));
    }
    for (const std::string& note : rows->notes) progress.note(note);
    for (const auto& reason : rows->remarks)
      progress.warn(
          fmt::format("{} rows: {} (first: {})", reason.rows, reason.reason, reason.example));
  }
}

}  // namespace penchant::pipeline
