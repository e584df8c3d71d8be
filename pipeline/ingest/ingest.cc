// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/ingest.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <exception>
#include <future>
#include <limits>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/part_overlap.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/split_warnings.h"
#include "pipeline/ingest/column_roles.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/ingest/read_formats.h"
#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

namespace {

/// Parts that are given and a split that makes its own exclude each other.
void check_given_parts(const IngestOptions& options) {
  const bool files = !options.validation_files.empty() || !options.test_files.empty();
  const char* key = !options.columns.part.empty() ? "data.columns.part"
                    : !options.benchmark.empty()  ? "data.benchmark"
                    : !options.test_files.empty() ? "data.test"
                                                  : "data.validation";
  const bool given = options.split_method == graph::SplitMethod::given;
  if (files && !options.columns.part.empty()) {
    throw InputError(
        "ingest: data.columns.part and files of their own (data.test, data.validation, "
        "data.benchmark) both say which rows are held out, expected one of them");
  }
  if (has_given_parts(options) && options.format == InputFormat::s3rec) {
    throw InputError(fmt::format(
        "ingest: {} does not go with format s3rec, whose sequences are split by place", key));
  }
  if (has_given_parts(options) && options.split_method && !given) {
    throw InputError(fmt::format(
        "ingest: {} says which rows are held out, but data.split.method is another than given "
        "(or auto), so that it would not count",
        key));
  }
  if (given && !has_given_parts(options)) {
    throw InputError(
        "ingest: data.split.method is given, but nothing says which rows are held out: expected a "
        "test file (data.test), a column of the part (data.columns.part) or, for recbole, "
        "data.benchmark");
  }
}

/// Puts the rows of a log into the parts that their files or a column name.
void take_given_parts(const ReadResult& read, OrderedLog& log) {
  const auto part_of = [](InputRole role) {
    return role == InputRole::test         ? graph::Part::test
           : role == InputRole::validation ? graph::Part::validation
                                           : graph::Part::train;
  };
  std::vector<graph::Part> of_file;
  if (read.given_parts.empty()) {
    for (std::size_t file = 0; file < read.files.size(); ++file) {
      const std::size_t end =
          file + 1 < read.files.size() ? read.files[file + 1].first_row : log.parts.size();
      of_file.resize(end, part_of(read.files[file].role));
    }
  }
  const std::vector<graph::Part>& parts = read.given_parts.empty() ? of_file : read.given_parts;
  for (std::size_t i = 0; i < log.parts.size(); ++i) log.parts[i] = parts[log.row_of(i)];
}

/// Says once which of several files have no rows.
void tell_empty(const std::vector<FileAccount>& files, Progress& progress) {
  std::vector<std::string> empty;
  constexpr std::size_t kShown = 5;
  for (const FileAccount& file : files) {
    if (file.rows.read == 0) empty.push_back(file.path.string());
  }
  if (empty.empty() || files.size() == 1) return;
  const std::size_t more = empty.size() - std::min(empty.size(), kShown);
  empty.resize(empty.size() - more);
  progress.warn(fmt::format("{} of {} files have no rows: {}{}", empty.size() + more, files.size(),
                            fmt::join(empty, ", "),
                            more > 0 ? fmt::format(" and {} more", more) : std::string()));
}

void check_timed_items(const IngestOptions& options) {
  const bool property = !options.item_property.empty();
  if (property != !options.item_value.empty() || (property && options.item_time.empty())) {
    throw InputError(
        "ingest: data.items.property and data.items.value, of a table with a row for each "
        "property, "
        "go together and with data.items.time");
  }
  if (!options.item_time.empty() && !has_item_table(options))
    throw InputError("ingest: data.items.time is given, but no item table (data.items.table)");
}

/// Attributes become columns of items.parquet, each under a name of its own.
void check_attributes(const IngestOptions& options) {
  constexpr const char* kOtherName = "`name = \"...\"` in its [[data.attributes]] gives it another";
  if (options.format != InputFormat::table) return;  // the others know no columns
  std::set<std::string> names;
  for (const AttributeColumn& attribute : options.attributes) {
    const std::string& name = attribute_name(attribute);
    if (is_entity_column(name)) {
      throw InputError(fmt::format(
          "ingest: the attribute of column '{}' is named '{}', as a column that every item has "
          "(expected none of {}); {}",
          attribute.column, name, fmt::join(kEntityColumns, ", "), kOtherName));
    }
    if (!names.insert(name).second)
      throw InputError(fmt::format("ingest: two attributes are named '{}'; {}", name, kOtherName));
    if (!attribute.path_separator.empty() && attribute.kind != AttributeKind::list) {
      throw InputError(fmt::format(
          "ingest: attribute '{}' has a path_separator, expected it to be of kind list", name));
    }
  }
}

/// Where rows are in order of time, nothing else says when they were.
void check_order_of_rows(const IngestOptions& options) {
  if (options.time_format != kOrderOfRows) return;
  if (!options.columns.time.empty())
    throw InputError(fmt::format(
        "data.time_format is \"order\", and data.columns.time is '{}': expected one of them",
        options.columns.time));
  if (options.split_method == graph::SplitMethod::global_time)
    throw InputError(
        "data.split.method is global_time, and data.time_format \"order\" tells the order of each "
        "user's rows only: expected a column of times");
}

/// Items of the log that the item table lacks. Where they are many, the two hardly speak of the
/// same ids, and a warning shows one of each.
std::int64_t count_items_without_row(const graph::Dictionary& log, const graph::Dictionary& table,
                                     const IngestOptions& options, Progress& progress) {
  constexpr std::int64_t kOneOf = 5;
  const auto first_not_in = [](const graph::Dictionary& ids, const graph::Dictionary& others,
                               std::int64_t& count) {
    std::string_view first;
    for (std::int64_t id = 0; id < ids.size(); ++id) {
      const std::string_view raw = ids.raw(static_cast<NodeId>(id));
      if (others.find(raw) == graph::kNoNode && count++ == 0) first = raw;
    }
    return first;
  };
  std::int64_t count = 0;
  const std::string_view of_log = first_not_in(log, table, count);
  if (kOneOf * count <= log.size()) return count;
  std::int64_t unused = 0;  // rows of the table for items that are not in the log
  std::string_view of_table = first_not_in(table, log, unused);
  if (unused == 0 && table.size() > 0) of_table = table.raw(0);
  const std::string& key = options.item_column.empty() ? options.columns.item : options.item_column;
  progress.warn(
      fmt::format("{} of the log's {} items have no row in the item table: '{}' of the log's "
                  "column '{}' is not in the table's column '{}', which {}",
                  count, log.size(), of_log, options.columns.item, key,
                  table.size() == 0 ? "is empty" : fmt::format("has '{}'", of_table)));
  return count;
}

/// The catalogue over final dense ids; numbers are parsed here. A cell that is no number counts as
/// missing and is reported.
graph::Catalog build_catalog(const RawCatalog& raw, const graph::Dictionary& items,
                             RowCounts& counts, bool strict) {
  Rejections rejections(strict);
  graph::Catalog catalog;
  catalog.num_items = items.size();
  std::vector<NodeId> rows(static_cast<std::size_t>(items.size()), graph::kNoNode);  // of the table
  for (std::size_t item = 0; item < rows.size() && raw.items.size() > 0; ++item)
    rows[item] = raw.items.find(items.raw(static_cast<NodeId>(item)));
  for (const RawAttribute& source : raw.attributes) {
    Attribute attribute;
    attribute.name = attribute_name(source.column);
    attribute.kind = source.column.kind;
    attribute.is_path = !source.column.path_separator.empty();
    for (std::int64_t item = 0; item < items.size(); ++item) {
      const NodeId place = source.by_table_row
                               ? rows[static_cast<std::size_t>(item)]
                               : source.items.find(items.raw(static_cast<NodeId>(item)));
      const std::string_view cell =
          place == graph::kNoNode
              ? std::string_view()
              : std::string_view(source.values[static_cast<std::size_t>(place)]);
      if (attribute.kind == AttributeKind::text) {
        attribute.texts.emplace_back(cell);
      } else if (attribute.kind == AttributeKind::numeric) {
        const auto value = parse_number(cell, source.decimal);
        const bool fits = value && std::abs(*value) <= std::numeric_limits<float>::max();
        const float number =
            fits ? static_cast<float>(*value) : std::numeric_limits<float>::quiet_NaN();
        if (!cell.empty() && !fits) {
          rejections.malformed(
              fmt::format("attribute '{}' is not a number, taken as missing", attribute.name),
              [&] {
                return fmt::format("item '{}': column '{}' is '{}', expected a number{}",
                                   items.raw(static_cast<NodeId>(item)), source.column.column, cell,
                                   decimal_hint(cell, source.decimal));
              },
              RowFate::cell);
        }
        attribute.numbers.push_back(number);
      } else {
        append_values(attribute, cell);
      }
    }
    finish_attribute(attribute, items.size());
    catalog.attributes.push_back(std::move(attribute));
  }
  for (auto& reason : rejections.take()) counts.rejected.push_back(std::move(reason));
  return catalog;
}

/// Checks the parts for leaks, and whether people come back to the same things often enough for own
/// items to be ranked: a stray repeat must not unmask everyone's (docs/decisions/0022-repeats.md).
void judge_repeats(Dataset& dataset, const IngestOptions& options) {
  constexpr double kShareThatCounts = 0.05;
  const auto raw_ids = [](const graph::Dictionary& dictionary) {
    return [&](NodeId id) { return fmt::format("'{}'", dictionary.raw(id)); };
  };
  const bool may_repeat =
      options.repeats == RepeatPolicy::keep_all && options.format != InputFormat::lightgcn;
  dataset.repeated_share = graph::check_no_leak(
      dataset.split, may_repeat ? graph::Repeats::allowed : graph::Repeats::forbidden,
      raw_ids(dataset.users), raw_ids(dataset.items));
  dataset.repeats_allowed = dataset.repeated_share >= kShareThatCounts;
}

nlohmann::json provenance(const std::vector<InputFile>& files, const ReadResult& read,
                          const IngestOptions& options) {
  nlohmann::json inputs = nlohmann::json::array();
  for (const auto& [file, role] : files) {
    const auto known = read.input_hashes.find(file.string());
    const bool hashed = known != read.input_hashes.end() && !known->second.empty();
    inputs.push_back({{"file", hide_environment(file.filename().string())},
                      {"role", kInputRoles[static_cast<std::size_t>(role)]},
                      {"bytes", fs::file_size(file)},
                      {"hash", hashed ? known->second : hash_file(file)}});
  }
  return {{"inputs", inputs}, {"seed", static_cast<std::uint64_t>(options.seed)}};
}

/// The parts hold what the accounts of the files say.
void check_parts(const std::vector<FileAccount>& files, const graph::SplitInteractions& split) {
  std::array<std::int64_t, 3> kept{};
  for (const FileAccount& file : files) {
    for (std::size_t part = 0; part < kept.size(); ++part) kept[part] += file.kept_in[part];
  }
  const std::array<std::int64_t, 3> sizes = {split.train.interactions.size(),
                                             split.validation.size(), split.test.size()};
  if (kept != sizes) {
    throw InputError(
        fmt::format("ingest: internal error: the parts have {} rows, but {} are accounted for; "
                    "nothing was written. Please report this",
                    fmt::join(sizes, ", "), fmt::join(kept, ", ")));
  }
}

}  // namespace

IngestReport ingest(const IngestOptions& given, const Destination& out, Progress& progress) {
  ArtifactWriter writer(out, kDataArtifact);
  progress.begin("ingest");
  const auto start = std::chrono::steady_clock::now();
  IngestOptions options = with_files(given, progress);
  const std::vector<InputFile> files = input_files(options);
  check_given_parts(options);
  check_attributes(options);
  check_order_of_rows(options);
  check_timed_items(options);
  settle_column_types(options, progress);
  ReadResult read;
  RawCatalog raw_catalog;
  switch (options.format) {
    case InputFormat::table:
    case InputFormat::recbole:
      read_table_log(options, read, raw_catalog, progress);
      break;
    case InputFormat::lightgcn:
      read_lightgcn(options, read);
      break;
    case InputFormat::s3rec:
      read_s3rec(options, read, raw_catalog);
      break;
  }
  stop_if_asked(progress);
  read.log.sessions = {};  // only ids are kept of them
  malloc_trim(0);          // the reader's blocks, before the columns are held twice
  auto item_table = std::async(std::launch::async, [&] {
    if (has_item_table(options) && options.item_time.empty())
      read_item_table(options, read, raw_catalog);
  });
  OrderedLog log = order_log(std::move(read.log.rows), read.log.users.size());
  item_table.get();
  tell_empty(read.files, progress);
  tell_empty(read.item_files, progress);
  if (options.time_format == kOrderOfRows) number_rows(log);
  if (has_given_parts(options)) take_given_parts(read, log);
  stop_if_asked(progress);
  LeftOutRows left_out(read.files, log.parts, log.order);
  thin_log(log, read.log, options, left_out);
  const auto num_kept = static_cast<std::int64_t>(log.parts.size()) -
                        std::count(log.parts.begin(), log.parts.end(), graph::Part::left_out);
  if (num_kept == 0) {
    const RowCounts rows = add_up(read.files);
    std::string reasons;
    for (const auto& reason : rows.rejected)
      reasons += fmt::format("\n  {} rows: {} {}", reason.rows, reason.reason, reason.example);
    throw InputError(
        fmt::format("ingest: no interaction is left of {} rows read{}", rows.read, reasons));
  }

  Dataset dataset;
  dataset.users = std::move(read.log.users);
  dataset.items = std::move(read.log.items);
  compact_dictionaries(log, dataset.users, dataset.items);
  graph::SplitOptions split;
  split.method = has_given_parts(options) ? graph::SplitMethod::given
                                          : options.split_method.value_or(read.default_split);
  split.validation_fraction = options.validation_fraction;
  split.test_fraction = options.test_fraction;
  split.seed = options.seed;
  const bool timed_items = has_item_table(options) && !options.item_time.empty();
  if (timed_items) {  // what may be known of an item depends on where training ends
    graph::assign_parts(log.rows, split, log.parts, log.order);
    read_timed_item_table(options, end_of_training(log, split.method), read, raw_catalog, progress);
    tell_empty(read.item_files, progress);
  }
  IngestReport report;
  report.item_rows = add_up(read.item_files);
  for (auto& cells : {add_up(read.files, true), add_up(read.item_files, true)}) {
    report.item_rows.rejected.insert(report.item_rows.rejected.end(), cells.rejected.begin(),
                                     cells.rejected.end());
  }
  if (has_item_table(options)) {
    report.num_items_without_row =
        count_items_without_row(dataset.items, raw_catalog.items, options, progress);
  }
  for (std::int64_t item = 0; item < raw_catalog.items.size(); ++item)
    dataset.items.intern(raw_catalog.items.raw(static_cast<NodeId>(item)));
  auto catalog = std::async(std::launch::async, [&] {
    return build_catalog(raw_catalog, dataset.items, report.item_rows, options.strict);
  });
  dataset.event_names = read.event_names;

  std::exception_ptr split_error;
  try {
    if (!timed_items) graph::assign_parts(log.rows, split, log.parts, log.order);
    left_out.count_kept();
    dataset.split = graph::divide_log(std::move(log.rows), std::move(log.order), log.parts);
    log = {};
  } catch (const InputError&) {
    split_error = std::current_exception();
  }
  dataset.catalog = catalog.get();  // what is wrong there is told first
  raw_catalog = {};
  if (split_error) std::rethrow_exception(split_error);
  judge_repeats(dataset, options);
  stop_if_asked(progress);
  auto sessions =
      std::async(std::launch::async, [&] { return graph::count_cut_sessions(dataset.split); });
  warn_of_empty_parts(dataset.split, split, progress);

  report.rows = add_up(read.files);
  report.files = std::move(read.files);
  report.files.insert(report.files.end(), std::make_move_iterator(read.item_files.begin()),
                      std::make_move_iterator(read.item_files.end()));
  for (FileAccount& file : report.files) {
    check_account(file);
    for (RowCounts::Reason& reason : file.rows.rejected)
      reason.example = hide_environment(reason.example);  // it has the file's path
  }
  for (RowCounts* rows : {&report.rows, &report.item_rows}) {
    for (RowCounts::Reason& reason : rows->rejected)
      reason.example = hide_environment(reason.example);
  }
  check_parts(report.files, dataset.split);

  nlohmann::json source = provenance(files, read, options);
  if (has_item_table(options)) source["items_without_row"] = report.num_items_without_row;
  source["resources"] = resources_since(start);
  write_dataset(writer, dataset, source.dump(), report.rows, report.files);
  warn_of_cut_sessions(sessions.get(), split, progress);

  report.num_users = dataset.num_users();
  report.num_items = dataset.num_items();
  for (const std::int64_t count : dataset.item_statistics.count)
    report.num_items_without_interactions += count == 0;
  report.num_train = dataset.split.train.interactions.size();
  report.num_validation = dataset.split.validation.size();
  report.num_test = dataset.split.test.size();
  report.repeated_share = dataset.repeated_share;
  report.repeats_allowed = dataset.repeats_allowed;
  for (const auto* rows : {&report.rows, &report.item_rows}) {
    for (const auto& reason : rows->rejected) {
      if (reason.is_error)
        progress.warn(fmt::format("{} rows rejected: {} (first: {})", reason.rows, reason.reason,
                                  reason.example));
    }
    for (const std::string& note : rows->notes) progress.note(note);
    for (const auto& reason : rows->remarks)
      progress.warn(
          fmt::format("{} rows: {} (first: {})", reason.rows, reason.reason, reason.example));
  }
  progress.end(
      fmt::format("{} of {} rows kept; {} users, {} items; {} train, {} validation, {} test",
                  report.rows.kept, report.rows.read, report.num_users, report.num_items,
                  report.num_train, report.num_validation, report.num_test));
  return report;
}

}  // namespace penchant::pipeline
