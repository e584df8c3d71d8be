// SPDX-License-Identifier: Apache-2.0
// Which items lists may hold: ids from files, attributes, and how many of one attribute's value.
//   where       = and { "or" and }
//   and         = not { "and" not }
//   not         = [ "not" ] ( "(" where ")" | comparison )
//   comparison  = attribute ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//               | attribute [ "not" ] "in" "(" value { "," value } ")"
// Values stand in quotes of either kind, a quote within them written twice, or bare if they are one
// word; so do attributes, also in backquotes. Words such as "and" mean the same in capitals.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/catalog.h"
#include "graph/error.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/raw_ids.h"

namespace penchant::pipeline {

/// The filter is a good one, and no item passes it.
class NoItemPasses : public InputError {
 public:
  using InputError::InputError;
};

/// At most `most` items of a list have one and the same value; items without a value are not
/// counted.
struct ValueLimit {
  std::string attribute;
  std::int64_t most = 0;
  graph::Csr values;  ///< [I x values]
};

struct ItemChoice {
  std::optional<std::vector<graph::NodeId>> allowed;  ///< ascending; nothing: all items
  std::vector<ValueLimit> limits;
};

/// What people give by hand, empty where they give nothing.
struct ItemFilterOptions {
  std::filesystem::path only_items;  ///< raw ids, one a line
  std::filesystem::path exclude;     ///< raw ids, one a line
  std::string where;
  std::vector<std::string> at_most;  ///< "brand=2"
  /// Raw ids in memory instead of a file's; none of only_ids leaves no item.
  std::optional<std::vector<std::string>> only_ids, exclude_ids;
  UnknownRawIds unknown = UnknownRawIds::error;
  std::shared_ptr<const PseudonymKey> key = {};  ///< of the raw ids, or null

  bool empty() const { return chooses_all() && at_most.empty(); }
  /// Whether every item may be listed.
  bool chooses_all() const {
    return only_items.empty() && exclude.empty() && where.empty() && !only_ids && !exclude_ids;
  }
};

/// Throws InputError: files and their lines with unknown ids, the place in `where` and what was
/// expected there, attributes and values that the items do not have (with the nearest); NoItemPasses.
/// Reads the attributes of a data set that was read for look-ups.
ItemChoice choose_items(const Dataset& dataset, const ItemFilterOptions& options);

/// One entry an item, 1 if `where` holds. What compares with an attribute holds for none of the
/// items without it, and what says != or "not in" for all of them; of a list or a path, = holds
/// where any of an item's values is equal.
std::vector<std::uint8_t> where_holds(const graph::Catalog& catalog, std::string_view where);

}  // namespace penchant::pipeline
