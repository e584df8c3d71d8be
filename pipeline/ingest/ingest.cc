// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/ingest.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <future>
#include <iterator>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/part_overlap.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/split_warnings.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/ingest/build_catalog.h"
#include "pipeline/ingest/check_ingest_options.h"
#include "pipeline/ingest/column_roles.h"
#include "pipeline/ingest/ingest_steps.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/item_content.h"
#include "pipeline/ingest/item_table.h"
#include "pipeline/ingest/link_table.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/ingest/privacy.h"
#include "pipeline/ingest/read_table_log.h"
#include "pipeline/ingest/sequence_files.h"
#include "pipeline/ingest/timed_item_table.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

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

}  // namespace

IngestReport ingest(const IngestOptions& given, const Destination& out, Progress& progress) {
  ArtifactWriter writer(out, kDataArtifact);
  progress.begin("ingest");
  if (const auto tombstones = tombstones_in(out.path); !tombstones.empty()) {
    progress.warn(fmt::format(
        "{}, which is made anew, {}: it comes back if the files still hold it (penchant forget)",
        out.path.string(), told(tombstones)));
  }
  const auto start = std::chrono::steady_clock::now();
  IngestOptions options = with_files(given, progress);
  prepare_privacy(options);
  const std::vector<InputFile> files = input_files(options);
  check_ingest_options(options);
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
  if (options.only_listed && has_item_table(options))
    leave_unlisted_out(log, read.log.items, raw_catalog.items, 0, left_out);
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
  const std::int64_t num_in_log = dataset.num_items();
  for (std::int64_t item = 0; item < raw_catalog.items.size(); ++item)
    dataset.items.intern(raw_catalog.items.raw(static_cast<NodeId>(item)));
  auto catalog = std::async(std::launch::async, [&] {
    return build_catalog(raw_catalog, dataset.items, report.item_rows, options);
  });
  dataset.event_names = read.event_names;
  dataset.links = read_link_tables(options, dataset.users, read);

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
  add_content(options, dataset.items, num_in_log, dataset.catalog, read, progress);
  PrivacyCounts privacy;
  privacy.rare = merge_rare_values(dataset.catalog, dataset.split.train.interactions,
                                   options.privacy.min_value_users);
  judge_repeats(dataset, options);
  stop_if_asked(progress);
  auto sessions =
      std::async(std::launch::async, [&] { return graph::count_cut_sessions(dataset.split); });
  warn_of_empty_parts(dataset.split, split, progress);

  report.rows = add_up(read.files);
  report.files = std::move(read.files);
  report.files.insert(report.files.end(), std::make_move_iterator(read.item_files.begin()),
                      std::make_move_iterator(read.item_files.end()));
  report.link_rows = add_up(read.link_files);
  report.files.insert(report.files.end(), std::make_move_iterator(read.link_files.begin()),
                      std::make_move_iterator(read.link_files.end()));
  report.vector_rows = add_up(read.vector_files);
  report.files.insert(report.files.end(), std::make_move_iterator(read.vector_files.begin()),
                      std::make_move_iterator(read.vector_files.end()));
  close_accounts(report.files,
                 {&report.rows, &report.item_rows, &report.link_rows, &report.vector_rows});
  check_parts(report.files, dataset.split);

  nlohmann::json source = {{"inputs", inputs_to_json(files, read)},
                           {"seed", static_cast<std::uint64_t>(options.seed)}};
  if (!options.settings.empty()) source["settings"] = options.settings;
  if (has_item_table(options)) source["items_without_row"] = report.num_items_without_row;
  source["resources"] = resources_since(start);
  privacy.num_users = dataset.num_users();
  privacy.num_items = dataset.num_items();
  privacy.times_changed = read.times_changed;
  privacy.repeats_dropped = rows_of_reason(report.rows, kExactRepeat);
  if (nlohmann::json facts = privacy_json(options, privacy, {}); !facts.empty())
    source["privacy"] = std::move(facts);
  write_dataset(writer, dataset, source.dump(), report.rows, report.files);
  warn_of_cut_sessions(sessions.get(), split, progress);

  report.num_users = dataset.num_users();
  report.num_items = dataset.num_items();
  for (const std::int64_t count : dataset.item_statistics.count)
    report.num_items_without_interactions += count == 0;
  report.num_train = dataset.split.train.interactions.size();
  report.num_validation = dataset.split.validation.size();
  report.num_test = dataset.split.test.size();
  report.num_links = count_links(dataset.links);
  report.repeated_share = dataset.repeated_share;
  report.repeats_allowed = dataset.repeats_allowed;
  tell_rejections({&report.rows, &report.item_rows, &report.link_rows, &report.vector_rows},
                  progress);
  tell_privacy(options, privacy, progress);
  progress.end(fmt::format(
      "{} of {} rows kept; {} users, {} items; {} train, {} validation, {} test{}",
      report.rows.kept, report.rows.read, report.num_users, report.num_items, report.num_train,
      report.num_validation, report.num_test,
      options.links.empty() ? "" : fmt::format("; {} links between users", report.num_links)));
  return report;
}

}  // namespace penchant::pipeline
