// SPDX-License-Identifier: Apache-2.0
// One list to look at: how it is printed, and the history that it may be for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/dictionary.h"
#include "pipeline/model/model.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

enum class Listed { items, users };

/// What a look-up prints.
struct Answer {
  std::unique_ptr<Loaded> loaded;
  std::string title;
  std::vector<ScoredItem> items;  ///< or users
  Listed listed = Listed::items;
};
void print_answer(const Answer& answer, bool as_json);

/// The items of all --history options, quoted as in CSV. A text that is an item's raw id as a whole
/// is that item, whatever it holds. Throws InputError for quotes that do not close.
std::vector<std::string> history_items(const std::vector<std::string>& texts,
                                       const graph::Dictionary& items);

}  // namespace penchant::pipeline
