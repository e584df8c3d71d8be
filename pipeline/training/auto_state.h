// SPDX-License-Identifier: Apache-2.0
// What training of model.kind = "auto" has decided so far: choice.json. An interrupted run goes on
// from it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/graph_filter.h"
#include "pipeline/choice/member_choice.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/new_item_rehearsal.h"

namespace penchant::pipeline {

struct AutoState {
  nlohmann::json course;   ///< what the decisions depend on
  std::string log;         ///< lines of metrics.jsonl
  bool cut_short = false;  ///< the budget ended a search
  std::optional<models::FilterOptions> filter;
  std::optional<std::vector<ChosenMember>> members;  ///< of the planned ones; none: a filter alone
  std::optional<Mixture> mixture;
  std::optional<RepeatBlend> repeats;
  LinkBlend links;              ///< chosen with the repeats
  std::optional<bool> distils;  ///< the model's vectors come to rank as all of the above does
  bool learns = true;           ///< ... by learning; else they factor the sum of the members
  std::optional<NewItemTeacher> new_items;  ///< by what new items are taught
  std::optional<double> value;              ///< of the validation metric; none without validation
  std::optional<double> vectors_value;      ///< likewise, of the vectors alone
  std::optional<double> filter_alone;       ///< likewise, where mixtures were tried
  std::optional<std::int64_t> tried;        ///< mixtures

  bool is_complete() const { return filter && mixture && repeats && distils; }
};

/// What was chosen, for people; `state` must be complete.
std::string describe(const AutoState& state, const std::string& metric);

/// Throws InputError: damaged, or decided under another course.
AutoState read_auto_state(const std::filesystem::path& file, const nlohmann::json& course);
/// The same, whatever the course.
AutoState read_auto_state(const std::filesystem::path& file);
/// Writes choice.json and metrics.jsonl into the folder of a model.
void write_auto_state(const std::filesystem::path& folder, const AutoState& state);

}  // namespace penchant::pipeline
