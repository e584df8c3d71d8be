// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/account.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::Part;
using nlohmann::json;

namespace {

std::int64_t rows_of(const RowCounts& rows, RowFate fate) {
  std::int64_t sum = 0;
  for (const RowCounts::Reason& reason : rows.rejected)
    sum += reason.fate == fate ? reason.rows : 0;
  return sum;
}

RowCounts::Reason& find_reason(std::vector<RowCounts::Reason>& reasons,
                               const RowCounts::Reason& like) {
  for (RowCounts::Reason& known : reasons) {
    if (known.reason == like.reason && known.fate == like.fate) return known;
  }
  reasons.push_back({like.reason, 0, like.example, like.is_error, like.fate});
  return reasons.back();
}

json reasons_to_json(const std::vector<RowCounts::Reason>& reasons) {
  json list = json::array();
  for (const RowCounts::Reason& reason : reasons) {
    list.push_back({{"reason", reason.reason},
                    {"rows", reason.rows},
                    {"example", reason.example},
                    {"malformed", reason.is_error},
                    {"kind", kRowFates[static_cast<std::size_t>(reason.fate)]}});
  }
  return list;
}

json rows_to_json(const FileAccount& file) {
  json rows = {{"read", file.rows.read}, {"kept", file.rows.kept}};
  if (is_log(file.role)) {
    rows["train"] = file.kept_in[0];
    rows["validation"] = file.kept_in[1];
    rows["test"] = file.kept_in[2];
  }
  for (std::size_t fate = 0; fate < kRowFates.size(); ++fate) {
    if (static_cast<RowFate>(fate) == RowFate::cell) continue;
    if (is_log(file.role) || static_cast<RowFate>(fate) == RowFate::rejected)
      rows[std::string(kRowFates[fate])] = rows_of(file.rows, static_cast<RowFate>(fate));
  }
  return rows;
}

json lines_to_json(const LineCounts& lines) {
  return {{"lines", lines.lines},
          {"header", lines.header},
          {"repeated_header", lines.repeated_header},
          {"blank", lines.blank},
          {"continuation", lines.continuation},
          {"without_items", lines.without_items},
          {"rows", lines.rows}};
}

}  // namespace

LeftOutRows::LeftOutRows(std::vector<FileAccount>& files, const std::vector<Part>& parts,
                         const std::vector<std::uint32_t>& order)
    : files_(files), parts_(parts), order_(order) {
  if (files_.size() > 1) before_ = parts_;
}

std::size_t LeftOutRows::place_of(std::uint32_t input_row) const {
  const auto after = std::upper_bound(
      files_.begin(), files_.end(), std::size_t{input_row},
      [](std::size_t row, const FileAccount& file) { return row < file.first_row; });
  return static_cast<std::size_t>(after - files_.begin()) - 1;
}

const FileAccount& LeftOutRows::file_of(std::uint32_t input_row) const {
  return files_[place_of(input_row)];
}

void LeftOutRows::add(std::string_view reason, RowFate fate, std::string_view example) {
  const auto count = [&](FileAccount& file, std::int64_t rows) {
    if (rows == 0) return;
    find_reason(file.rows.rejected, {std::string(reason), 0, std::string(example), false, fate})
        .rows += rows;
  };
  if (files_.size() == 1) {
    const std::int64_t now = std::count(parts_.begin(), parts_.end(), Part::left_out);
    count(files_.front(), now - left_out_);
    left_out_ = now;
    return;
  }
  std::vector<std::int64_t> rows(files_.size(), 0);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i] == Part::left_out && before_[i] != Part::left_out)
      ++rows[place_of(order_.empty() ? static_cast<std::uint32_t>(i) : order_[i])];
  }
  before_ = parts_;
  for (std::size_t file = 0; file < files_.size(); ++file) count(files_[file], rows[file]);
}

void LeftOutRows::count_kept() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i] == Part::left_out) continue;
    const std::size_t file =
        files_.size() == 1 ? 0
                           : place_of(order_.empty() ? static_cast<std::uint32_t>(i) : order_[i]);
    ++files_[file].kept_in[static_cast<std::size_t>(parts_[i])];
  }
  for (FileAccount& file : files_)
    file.rows.kept = file.kept_in[0] + file.kept_in[1] + file.kept_in[2];
}

void check_account(const FileAccount& file) {
  std::int64_t accounted = file.rows.kept;
  for (const RowCounts::Reason& reason : file.rows.rejected)
    accounted += reason.fate == RowFate::cell ? 0 : reason.rows;
  const auto differ = [&](const char* what, std::int64_t there, std::int64_t known) {
    throw InputError(fmt::format(
        "{}: internal error: the file has {} {}, but {} are accounted for; nothing was written. "
        "Please report this with the file",
        file.path.string(), there, what, known));
  };
  if (accounted != file.rows.read) differ("rows", file.rows.read, accounted);
  if (!file.lines) return;
  const LineCounts& lines = *file.lines;
  const std::int64_t known = lines.header + lines.repeated_header + lines.blank +
                             lines.continuation + lines.without_items + lines.rows;
  if (known != lines.lines) differ("lines", lines.lines, known);
}

RowCounts add_up(const std::vector<FileAccount>& files, bool cells) {
  RowCounts sum;
  for (const FileAccount& file : files) {
    sum.read += file.rows.read;
    sum.kept += file.rows.kept;
    for (const RowCounts::Reason& reason : file.rows.rejected) {
      if ((reason.fate == RowFate::cell) == cells)
        find_reason(sum.rejected, reason).rows += reason.rows;
    }
    if (cells) continue;
    for (const RowCounts::Reason& remark : file.rows.remarks)
      find_reason(sum.remarks, remark).rows += remark.rows;
    sum.notes.insert(sum.notes.end(), file.rows.notes.begin(), file.rows.notes.end());
  }
  // In the order of the steps, as for a single file.
  const auto step = [](const RowCounts::Reason& reason) {
    return reason.fate == RowFate::filtered ? RowFate::rejected : reason.fate;
  };
  std::stable_sort(sum.rejected.begin(), sum.rejected.end(),
                   [&](const auto& a, const auto& b) { return step(a) < step(b); });
  return sum;
}

json to_json(const RowCounts& rows) {
  return {{"read", rows.read},
          {"kept", rows.kept},
          {"rejected", reasons_to_json(rows.rejected)},
          {"remarks", reasons_to_json(rows.remarks)},
          {"notes", rows.notes}};
}

void add_earlier(const json& earlier, RowCounts& rows) {
  rows.read += earlier.at("read").get<std::int64_t>();
  rows.kept += earlier.at("kept").get<std::int64_t>();
  const auto add = [&](const char* name, std::vector<RowCounts::Reason>& reasons) {
    std::vector<RowCounts::Reason> sum;
    for (const json& entry : earlier.value(name, json::array())) {
      const auto fate =
          std::find(kRowFates.begin(), kRowFates.end(), entry.at("kind").get<std::string>());
      if (fate == kRowFates.end()) throw InputError("an account of rows names an unknown kind");
      sum.push_back({entry.at("reason").get<std::string>(), entry.at("rows").get<std::int64_t>(),
                     entry.at("example").get<std::string>(), entry.at("malformed").get<bool>(),
                     static_cast<RowFate>(fate - kRowFates.begin())});
    }
    for (const RowCounts::Reason& reason : reasons) find_reason(sum, reason).rows += reason.rows;
    reasons = std::move(sum);
  };
  add("rejected", rows.rejected);
  add("remarks", rows.remarks);
  auto notes = earlier.value("notes", std::vector<std::string>());
  notes.insert(notes.end(), rows.notes.begin(), rows.notes.end());
  rows.notes = std::move(notes);
}

json to_json(const std::vector<FileAccount>& files) {
  std::map<std::string, int> uses;
  for (const FileAccount& file : files) ++uses[file.path.filename().string()];
  json list = json::array();
  for (const FileAccount& file : files) {
    const std::string name = file.path.filename().string();
    json entry = {{"file", uses[name] == 1 ? name : file.path.string()},
                  {"role", kInputRoles[static_cast<std::size_t>(file.role)]},
                  {"rows", rows_to_json(file)},
                  {"reasons", reasons_to_json(file.rows.rejected)}};
    if (file.lines) entry["lines"] = lines_to_json(*file.lines);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace penchant::pipeline
