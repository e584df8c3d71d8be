// SPDX-License-Identifier: Apache-2.0
// What the verb `explain` does between its options and what it says, for the program and the Python
// package alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "pipeline/config/config.h"
#include "pipeline/explain/explainer.h"

namespace penchant::pipeline {

struct ExplainFlags {
  std::string data, model, user, item, similar, ranking;
  std::vector<std::string> history;  ///< raw ids
  bool by_history = false;           ///< `history` is given, as empty as it may be
  std::int64_t top = 10;
  std::string key;  ///< file: of the raw ids (given_key.h)
};
/// Throws InputError: not exactly one of user, history and similar; top below 1.
void check_flags(const ExplainFlags& flags);

struct Explained {
  nlohmann::json answer;
  std::string text;  ///< for people
};
/// By an explainer that is there already.
Explained explain_by(Explainer& explainer, const Dataset& dataset, const ExplainFlags& flags,
                     const Config& config);
/// Reads the data set and the model.
Explained explain_by(const ExplainFlags& flags, const Config& config);

}  // namespace penchant::pipeline
