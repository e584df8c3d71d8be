// SPDX-License-Identifier: Apache-2.0
// What `penchant tag` does between its options and what it says, for the program and the Python
// package: tags or suspicious values as a file or a table in memory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/model/model.h"
#include "pipeline/tags/tags.h"

namespace penchant::pipeline {

struct Frame;  // pipeline/tables/frames.h

struct TagFlags {
  std::string attribute, out;
  std::optional<double> threshold;
  std::int64_t min_support = TagOptions().min_support;
  bool suspicious = false;
  bool all_items = false;
  std::string items_file;                         ///< one raw id a line; empty: none
  std::optional<std::vector<std::string>> items;  ///< raw ids, in place of the file
  std::string unknown = "error";
  std::optional<std::uint64_t> seed;
};

/// Columns item_id, value (empty: not known), probability, likeliest; with `suspicious` item_id,
/// value, probability, likeliest, likeliest_probability, the most suspicious first. Written to
/// flags.out, a .parquet or .csv file that appears whole or not at all, or to `frame` where that is
/// not null. Throws InputError as Tagger does, and for the names of files. Returns what the verb
/// says as JSON.
nlohmann::json tag_by(const TagFlags& flags, const Model& model, Frame* frame, Progress& progress);
/// For people.
std::string tag_text(const nlohmann::json& said);

}  // namespace penchant::pipeline
