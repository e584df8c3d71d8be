// SPDX-License-Identifier: Apache-2.0
// What is known of users besides behaviour, from a table that is read when it is asked about; it is
// no part of the data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "graph/catalog.h"
#include "graph/dictionary.h"
#include "pipeline/data/pseudonyms.h"
#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

struct UserTable {
  graph::Catalog attributes;        ///< num_items = U: one row a user of the data set. A column
                                    ///< is numeric if all its cells are numbers, else
                                    ///< categorical; empty cells are missing
  std::vector<std::uint8_t> is_in;  ///< [U] the table has the user
  std::int64_t num_rows = 0;
  std::int64_t num_unknown = 0;  ///< rows of users that the data set does not have
};

/// `key`: the column of raw user ids; `pseudonyms`: what they become before they are looked up, or
/// null. Throws InputError: what TableReader refuses, no such column
/// (with those that it has), a user of two rows, a row that does not split into its cells.
UserTable read_user_table(const std::filesystem::path& path, const std::string& key,
                          const graph::Dictionary& users, std::shared_ptr<const Frames> frames = {},
                          const PseudonymKey* pseudonyms = nullptr);

}  // namespace penchant::pipeline
