// SPDX-License-Identifier: Apache-2.0
// Tables and text files -> X.data. Streaming: the input is read in blocks, never held whole.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/catalog.h"
#include "graph/enum_names.h"
#include "graph/split.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/ingest/privacy_options.h"
#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

/// table: delimited text or Parquet with column roles. The others are formats of the field that
/// need no roles: lightgcn ("user item item ..." lines, train and test), s3rec (the same with items
/// in time order, plus attribute JSON), recbole (PREFIX.inter, PREFIX.item with typed headers
/// "user_id:token").
enum class InputFormat { table, lightgcn, s3rec, recbole };
constexpr auto enum_words(InputFormat) {
  return std::to_array<EnumWord<InputFormat>>({{InputFormat::table, "table"},
                                               {InputFormat::lightgcn, "lightgcn"},
                                               {InputFormat::s3rec, "s3rec"},
                                               {InputFormat::recbole, "recbole"}});
}

/// How a table file is read. Compression and Parquet are recognised by the file's first bytes.
struct TableSource {
  std::vector<std::filesystem::path> files;
  TableReadOptions text = {};  ///< of delimited text
};

/// Names of the columns that play a role; empty: the log does not have it.
struct LogColumns {
  std::string user, item, time, event, weight, session;
  std::string part = {};  ///< of the data set
};

/// What the column of the part holds, in any case of letters; another word is no row.
struct PartWords {
  std::vector<std::string> train = {"train", "training"};
  std::vector<std::string> validation = {"validation", "valid", "val", "dev"};
  std::vector<std::string> test = {"test", "testing"};
};

/// What becomes of a row of one part that stands in an earlier one too (train, validation, test).
enum class OverlapPolicy { drop, error };
constexpr auto enum_words(OverlapPolicy) {
  return std::to_array<EnumWord<OverlapPolicy>>(
      {{OverlapPolicy::drop, "drop"}, {OverlapPolicy::error, "error"}});
}

struct RowFilter {
  std::string column;
  std::string op;  ///< ==, !=, <, <=, >, >=, in, not_in, prefix, not_prefix
  std::vector<std::string> values;
};

struct AttributeColumn {
  std::string column;
  std::string name;  ///< defaults to the column
  graph::AttributeKind kind = graph::AttributeKind::categorical;
  std::string separator = "|";  ///< of list values
  std::string path_separator;   ///< list: "a.b.c" becomes the values a, a.b and a.b.c; empty: off
  bool kind_given =
      false;  ///< else recbole goes by the field's type, and lists of Parquet are lists
};
inline const std::string& attribute_name(const AttributeColumn& attribute) {
  return attribute.name.empty() ? attribute.column : attribute.name;
}

/// A table of links between users, a row each.
struct LinkTable {
  TableSource source;
  std::string name = {};           ///< of the kind of links
  std::string from = {}, to = {};  ///< columns of the two raw user ids
  std::string weight = {};         ///< column of a number above 0; empty: each link counts 1
  bool directed = false;           ///< the first follows the second; else both ways
};

/// Vectors of items, from a file or of their texts, that become an attribute (item_content.h).
struct VectorSource {
  std::string name = {};            ///< of the attribute
  std::filesystem::path file = {};  ///< by its name .npy, .parquet, .arrow, .safetensors, ...
  std::filesystem::path ids = {};   ///< raw ids of a file of numbers alone, a line each
  std::string tensor = {};          ///< of safetensors, where there are several
  std::string id_column = "raw_id", vector_column = "vector";  ///< of a table
  std::vector<std::string> text = {};  ///< names of attributes, instead of a file
};

/// What several rows of one (user, item) pair become. keep_all: every row stays, but where the log
/// has times for exact repeats of (user, item, time, event, weight, session). keep_first,
/// keep_last: one row. sum: the first row with the sum of all weights.
enum class RepeatPolicy { keep_all, keep_first, keep_last, sum };
constexpr auto enum_words(RepeatPolicy) {
  return std::to_array<EnumWord<RepeatPolicy>>({{RepeatPolicy::keep_all, "keep_all"},
                                                {RepeatPolicy::keep_first, "keep_first"},
                                                {RepeatPolicy::keep_last, "keep_last"},
                                                {RepeatPolicy::sum, "sum"}});
}

/// Format of times that says: there is no column of them, a user's rows are in their order.
inline constexpr std::string_view kOrderOfRows = "order";

class IdRules;

struct IngestOptions {
  InputFormat format = InputFormat::table;

  // table
  TableSource log;
  LogColumns columns;
  std::set<std::string> columns_given;  ///< roles of `columns` that are set, if to nothing: recbole
                                        ///< fills the others from the header
  std::string time_format = "auto";     ///< as TimeParser has it: auto, s, ms, us, ns, iso8601, a
                                        ///< strptime pattern, or kOrderOfRows
  std::string time_zone =
      "UTC";           ///< of times without one of their own: UTC, "+09:00" or "Europe/Berlin"
  char decimal = '.';  ///< of numbers in text: weights, attributes, filtered cells
  std::vector<std::pair<std::string, double>> event_weights = {
      {"view", 1}, {"cart", 2}, {"purchase", 4}};
  std::vector<RowFilter> filters;
  std::optional<TableSource> item_table;
  bool only_listed = false;  ///< rows of items without a row in the item table are left out
  std::string item_time;  ///< of the item table, if its rows change over time: an item's last row
                          ///< before the end of training counts; empty: its first row
  std::string item_property, item_value;  ///< a long table: columns of the property's name, which
                                          ///< is an attribute's column, and of its value
  std::vector<RowFilter> item_filters;    ///< rows of the item table to keep
  std::string item_column;  ///< raw item id in the item table; empty: same name as in the log
  std::vector<AttributeColumn> attributes;  ///< of the item table; without one, of the log (an
                                            ///< item's first value that is not missing)
  /// Spellings that mean "missing" besides the empty field.
  std::vector<std::string> missing = {"NA",   "N/A",  "NaN",  "nan", "null",
                                      "NULL", "None", "none", "\\N"};

  std::vector<LinkTable> links;       ///< of any format
  std::vector<VectorSource> vectors;  ///< of any format

  // lightgcn, s3rec, recbole
  std::vector<std::filesystem::path> train_files;         ///< lightgcn
  std::filesystem::path sequences_file, attributes_file;  ///< s3rec
  std::filesystem::path prefix;                           ///< recbole
  /// recbole: names of the parts in PREFIX.NAME.inter: train and test, or train, validation, test.
  std::vector<std::string> benchmark;

  // splits made by others
  std::vector<std::filesystem::path> validation_files, test_files;  ///< like the log's
  PartWords part_words;
  OverlapPolicy overlap = OverlapPolicy::drop;

  PrivacyOptions privacy;
  std::shared_ptr<const IdRules> ids = {};  ///< of these, made by ingest() and append()

  RepeatPolicy repeats = RepeatPolicy::keep_all;
  std::int64_t min_user_count =
      0;  ///< k-core: iterated until every user and item has at least this many rows
  std::int64_t min_item_count = 0;
  std::int64_t max_user_count = 0;  ///< 0: no limit; otherwise a user's latest rows
  std::optional<graph::SplitMethod>
      split_method;  ///< none: the format's default (given, leave-one-out, global time, random)
  double validation_fraction = 0.1;
  double test_fraction = 0.2;
  graph::Seed seed{42};
  bool strict = false;  ///< a malformed row is an error instead of being counted
  std::string settings =
      {};  ///< kept in the manifest, so that later rows are read in the same way:
           ///< kept_settings() of append.h
};

/// Whether items come with a table of their own.
inline bool has_item_table(const IngestOptions& options) {
  return options.item_table && !options.item_table->files.empty();
}

/// Whether files or a column say which rows are held out.
inline bool has_given_parts(const IngestOptions& options) {
  return !options.validation_files.empty() || !options.test_files.empty() ||
         !options.columns.part.empty();
}

struct IngestReport {
  RowCounts rows;
  RowCounts item_rows;
  RowCounts link_rows;    ///< of the tables of links between users
  RowCounts vector_rows;  ///< of the files of items' vectors
  std::vector<FileAccount> files;
  std::int64_t num_users = 0, num_items = 0, num_items_without_interactions = 0;
  std::int64_t num_items_without_row = 0;  ///< of the log, in the item table, if there is one
  std::int64_t num_links = 0;              ///< between users, of all kinds; both ways are one
  double repeated_share = 0.0;             ///< as in Dataset
  bool repeats_allowed = false;            ///< as in Dataset
  std::int64_t num_train = 0, num_validation = 0, num_test = 0;
};

/// Reads, cleans, splits, checks for leaks and that the account of every file closes, and writes
/// `out`, which is locked meanwhile. Throws InputError.
IngestReport ingest(const IngestOptions& options, const Destination& out, Progress& progress);

}  // namespace penchant::pipeline
