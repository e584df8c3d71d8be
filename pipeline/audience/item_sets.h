// SPDX-License-Identifier: Apache-2.0
// Sets of items that people may be interested in: the one that is asked for, and others like it,
// from which a regression learns what first interest follows from (audience.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graph/ids.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/raw_ids.h"

namespace penchant::pipeline {

struct ItemSet {
  std::string name;                  ///< "category = Dairy"
  std::vector<graph::NodeId> items;  ///< ascending
};

/// What people give by hand: an expression, a file of raw ids, or raw ids; exactly one.
struct InterestOptions {
  std::string where;
  std::filesystem::path items_file;
  std::optional<std::vector<std::string>> items;
  UnknownRawIds unknown = UnknownRawIds::error;
  std::shared_ptr<const PseudonymKey> key = {};  ///< of the ids, or null

  bool empty() const { return where.empty() && items_file.empty() && !items; }
};

struct ChosenItems {
  ItemSet set;
  std::int64_t num_unknown = 0;  ///< ids left out
};
/// Throws InputError: none or several of them given, unknown ids, what where_holds refuses, no item.
ChosenItems chosen_items(const Dataset& dataset, const InterestOptions& options);

/// At most `most` sets: values of the attribute whose items are most like those of `set` (by the
/// Jaccard index), and single items where these are too few; those with the most owners, but not
/// those that nearly nobody or most people have. `owners` [I]: users of each item.
std::vector<ItemSet> sets_like(const ItemSet& set, const Dataset& dataset,
                               const std::vector<std::int64_t>& owners, std::int64_t most);

}  // namespace penchant::pipeline
