// SPDX-License-Identifier: Apache-2.0
// The beginning of ingest: each input format read into a RawLog, and the item attributes that come
// with it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graph/catalog.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

/// What a reader finds. The rows of the log are those of all its files, one after another.
struct ReadResult {
  RawLog log;
  std::vector<graph::Part> given_parts;  ///< of each row, where a column says it
  std::vector<FileAccount> files;        ///< of the log, in the order of its rows
  std::vector<FileAccount> item_files;   ///< of the item table and attributes
  std::vector<std::string> event_names;
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

void read_table_log(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
                    Progress& progress);
void read_item_table(const IngestOptions& options, ReadResult& result, RawCatalog& catalog);
/// The same for a table whose rows have a time (IngestOptions::item_time): of an item's rows, or in
/// a long table of those of one property, the last one that is not after `end_ms` counts.
void read_timed_item_table(const IngestOptions& options, std::int64_t end_ms, ReadResult& result,
                           RawCatalog& catalog, Progress& progress);
/// Until when properties of items may be known: before the first held-out row of a split by time,
/// else to the end of the log.
std::int64_t end_of_training(const OrderedLog& log, graph::SplitMethod method);
void read_lightgcn(const IngestOptions& options, ReadResult& result);
void read_s3rec(const IngestOptions& options, ReadResult& result, RawCatalog& catalog);
/// Turns PREFIX.inter and PREFIX.item into the options of a table: their headers name columns and
/// types, data.columns, data.items and data.attributes go before what they say. Notes what is left
/// out.
IngestOptions recbole_as_table(const IngestOptions& options, Progress& progress);
/// How a log is split if the user does not say.
graph::SplitMethod default_split(const IngestOptions& options);

/// Adds what is known of a file once all of it is read.
void add_counts(const TableReader& reader, Rejections& rejections, FileAccount& account);
/// Whether all filters keep a row of a table; what they leave out is counted. `decimal_of` gives a
/// column's decimal sign, `place` the row's for messages.
bool passes_filters(const std::vector<FilterRule>& filters, const TextBatch& batch, std::size_t row,
                    const std::function<char(std::size_t)>& decimal_of,
                    const std::function<std::string()>& place, Rejections& rejections);
bool is_missing(std::string_view cell, const std::vector<std::string>& spellings);
/// Adds one cell to an attribute: the first value of an item that is neither missing nor broken
/// UTF-8 counts. not_needed: the item has one, or this is none.
enum class CellUse { taken, not_needed, broken };
CellUse add_attribute_cell(RawAttribute& attribute, std::string_view raw_item,
                           std::string_view cell, const std::vector<std::string>& missing);
/// How a cell that is broken UTF-8 is counted and shown.
std::string bad_cell_reason(const AttributeColumn& column);
std::string bad_cell_example(const AttributeColumn& column, std::string_view cell);
/// What a cell of an attribute is kept as.
std::string attribute_value(const AttributeColumn& column, std::string_view cell);

}  // namespace penchant::pipeline
