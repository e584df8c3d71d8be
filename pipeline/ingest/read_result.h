// SPDX-License-Identifier: Apache-2.0
// What the readers of all input formats fill: a RawLog, and the item attributes that come with it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/catalog.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/log_rows.h"

namespace penchant::pipeline {

/// What a reader finds. The rows of the log are those of all its files, one after another.
struct ReadResult {
  RawLog log;
  std::vector<graph::Part> given_parts;   ///< of each row, where a column says it
  std::vector<FileAccount> files;         ///< of the log, in the order of its rows
  std::vector<FileAccount> item_files;    ///< of the item table and attributes
  std::vector<FileAccount> link_files;    ///< of the tables of links
  std::vector<FileAccount> vector_files;  ///< of items
  std::vector<std::string> event_names;
  std::int64_t times_changed = 0;  ///< by IngestOptions::privacy
  std::map<std::string, std::string>
      input_hashes;  ///< of files whose bytes were hashed while they were read
  graph::SplitMethod default_split = graph::SplitMethod::random_per_user;
};

/// Attribute cells as they were read: raw item id -> joined value, per attribute; the catalogue is
/// built from it once items have their final dense ids.
struct RawAttribute {
  AttributeColumn column;
  graph::Dictionary items;  ///< items that have a value, in order of first appearance
  std::vector<std::string>
      values;  ///< of each of them: text, number, or list elements joined by kListSeparator
  bool by_table_row =
      false;           ///< instead of `items`, values go by RawCatalog::items; empty: missing
  char decimal = '.';  ///< of a number in `values`
};
struct RawCatalog {
  graph::Dictionary items;  ///< every item of the item table
  std::vector<RawAttribute> attributes;
};

}  // namespace penchant::pipeline
