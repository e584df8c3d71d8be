// SPDX-License-Identifier: Apache-2.0
// The lists of many users or items: what recommend and similar do between their options and what
// they say, for the command line and the Python package.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/export/lists.h"
#include "pipeline/model/lists.h"
#include "pipeline/model/model.h"
#include "pipeline/tables/ranked_file.h"

namespace penchant::pipeline {

struct Frame;  // pipeline/tables/frames.h

/// Lists that are about to be made of a model, which must outlive them.
struct ManyLists {
  std::unique_ptr<ListMaker> lists;
  IdFile owners;
  std::string kind;    ///< of the owners: "user" or "item"
  std::string listed;  ///< likewise, of what is in the lists
  std::int64_t k = 0;
  RankedFacts facts;  ///< of the file's schema
};

/// Throws InputError as user_lists and choose_items do.
ManyLists lists_of_users(const Model& model, const ListOptions& options,
                         const ItemFilterOptions& filter, IdFile users);
/// Throws InputError as similar_lists and choose_items do.
ManyLists lists_near_items(const Model& model, std::int64_t k, const ItemFilterOptions& filter,
                           IdFile items);

/// Throws InputError as similar_user_lists does.
ManyLists lists_near_users(const Model& model, std::int64_t k, IdFile users);

/// Writes them to a file whose ending says the format; it appears whole or not at all. Warns of
/// repeated owners, and notes the memory that it takes.
ListCounts write_many(ManyLists& many, const Dataset& dataset, const std::filesystem::path& out,
                      Progress& progress);
/// The same as a table in memory.
ListCounts write_many(ManyLists& many, const Dataset& dataset, Frame& out, Progress& progress);

/// What the verbs say as JSON.
nlohmann::json many_json(const ManyLists& many, const ListCounts& counts,
                         const std::filesystem::path& out);

}  // namespace penchant::pipeline
