// SPDX-License-Identifier: Apache-2.0
// Lists of many users or items, block by block, to whoever takes them, or to a file.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

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

/// Whose lists a file holds, by their dictionary.
struct ListOwners {
  const graph::Dictionary& raw_ids;
  std::span<const graph::NodeId> ids;
};

/// Writes the lists with raw ids, one row an item (docs/formats.md), and commits. Throws InputError
/// that names the file.
ListCounts write_lists(ListMaker& lists, const ListOwners& owners, const graph::Dictionary& listed,
                       RankedFile& file, Progress& progress);

}  // namespace penchant::pipeline
