// SPDX-License-Identifier: Apache-2.0
// Lists of many users or items, block by block, to whoever takes them, or to a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "graph/dictionary.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/lists.h"
#include "pipeline/tables/ranked_file.h"

namespace penchant::pipeline {

struct ListCounts {
  std::int64_t lists = 0;
  std::int64_t rows = 0;         ///< items in all of them
  std::int64_t short_lists = 0;  ///< with fewer than k items
};

/// Takes a block; its views are valid until it returns.
using ListSink = std::function<void(const ListBlock&)>;

/// Hands over the lists of `owners`, in their order. Throws Interrupted when asked to stop, and
/// whatever `sink` throws.
ListCounts make_lists(ListMaker& lists, std::span<const graph::NodeId> owners, const ListSink& sink,
                      Progress& progress);

/// Whose lists a file holds: "user_id" by the users' dictionary, or "target_item_id" by the items'.
struct ListOwners {
  std::string column;
  const graph::Dictionary& raw_ids;
  std::span<const graph::NodeId> ids;
};

/// Writes the lists with raw ids, one row an item (docs/formats.md); the file appears whole or not
/// at all. Throws InputError that names it.
ListCounts write_lists(ListMaker& lists, const ListOwners& owners, const graph::Dictionary& items,
                       const RankedFacts& facts, const std::filesystem::path& out,
                       Progress& progress);

}  // namespace penchant::pipeline
