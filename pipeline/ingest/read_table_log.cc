// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/read_table_log.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/core.h>
#include <omp.h>

#include "graph/error.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/item_table.h"
#include "pipeline/ingest/log_block.h"
#include "pipeline/ingest/privacy.h"
#include "pipeline/ingest/settle_times.h"
#include "pipeline/tables/block_stages.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Reads one log file after another; holds what is constant over rows.
class LogReader {
 public:
  LogReader(const IngestOptions& options, ReadResult& result, RawCatalog& catalog)
      : options_(options),
        result_(result),
        catalog_(catalog),
        rejections_(options),
        remarks_(options),
        roles_(options),
        parse_time_(options.time_format, options.time_zone),
        encoder_(options, roles_, parse_time_) {
    if (!has_item_table(options)) {
      for (const AttributeColumn& attribute : options.attributes) {
        RawAttribute& raw = catalog.attributes.emplace_back();
        raw.column = attribute;
        raw.decimal = options.decimal;
      }
    }
    for (const auto& [name, weight] : options.event_weights) {
      if (!(weight >= 1e-9 && weight <= 1e9)) {
        throw InputError(fmt::format(
            "event weight of '{}' is {}, expected more than 0 (from 1e-9 to 1e9)", name, weight));
      }
      if (roles_.event) result.event_names.push_back(name);
    }
    if (result.event_names.size() > 127) throw InputError("more than 127 event types");
    // One block a thread to encode, two that wait for their ids.
    blocks_.resize(static_cast<std::size_t>(omp_get_max_threads()) + 2);
  }

  void read(const std::filesystem::path& path, InputRole role, Progress& progress) {
    path_ = path.string();
    FileAccount& account = result_.files.emplace_back();
    account.path = path;
    account.role = role;
    account.first_row = result_.log.rows.weight.size();
    TableReadOptions read = options_.log.text;
    read.time_column = options_.columns.time;
    read.times_as_numbers = roles_.time_alone();
    TableReader reader(path, read, roles_.columns);
    const bool timestamps = roles_.time && reader.is_timestamp(*roles_.time);
    for (std::size_t a = 0; a < roles_.attributes.size(); ++a) {
      const bool is_number = reader.type(roles_.attributes[a]).kind == CellKind::number;
      catalog_.attributes[a].decimal = is_number ? '.' : options_.decimal;
    }
    next_line_ = reader.first_line();
    BlockStages stages;
    stages.fetch = [&](std::size_t slot) { return reader.fetch(blocks_[slot].table); };
    stages.encode = [&](std::size_t slot) { encoder_.encode(reader, timestamps, blocks_[slot]); };
    stages.ordered = {[&](std::size_t slot) {
                        LogBlock& block = blocks_[slot];
                        intern(result_.log.users, block.user, block.rows.user);
                      },
                      [&](std::size_t slot) {
                        LogBlock& block = blocks_[slot];
                        intern(result_.log.items, block.item, block.rows.item);
                      },
                      [&](std::size_t slot) { intern_sessions(blocks_[slot]); },
                      [&](std::size_t slot) { add_attributes(blocks_[slot]); }};
    std::size_t blocks_left = reader.expected_blocks();
    num_read_ = 0;
    stages.commit = [&](std::size_t slot) {
      blocks_left -= std::min<std::size_t>(blocks_left, 1);
      commit(blocks_[slot], blocks_left, progress);
    };
    run_block_stages(stages, blocks_.size());
    reader.check_all_counted();
    result_.input_hashes.emplace(path_, reader.hash());
    account.rows.read = num_read_;
    add_counts(reader, rejections_, account);
    account.rows.rejected = rejections_.take();
    account.rows.remarks = remarks_.take();
  }

  /// What only the whole column of times tells.
  void settle(Progress& progress) {
    if (!roles_.time) return;
    const std::string where = fmt::format("column '{}'", options_.columns.time);
    for (const std::string& message :
         settle_times(result_.log.rows.time_ms, time_units_, parse_time_, where))
      progress.warn(message);
    if (options_.privacy.time_resolution != TimeResolution::exact)
      result_.times_changed =
          coarsen_times(result_.log.rows.time_ms, options_.privacy.time_resolution);
  }

 private:
  static void intern(graph::Dictionary& dictionary, const std::vector<std::string_view>& raws,
                     std::vector<NodeId>& ids) {
    ids.resize(raws.size());
    dictionary.intern_all(raws, ids);
  }

  void intern_sessions(LogBlock& block) {
    if (!roles_.session) return;
    block.rows.session.resize(block.session.size());
    result_.log.sessions.intern_all(block.session, block.rows.session);
    for (std::size_t row = 0; row < block.session.size(); ++row) {
      if (block.session[row].empty()) block.rows.session[row] = graph::kNoNode;
    }
  }

  void add_attributes(LogBlock& block) {
    for (std::size_t a = 0; a < block.attributes.size(); ++a) {
      RawAttribute& attribute = catalog_.attributes[a];
      for (std::size_t row = 0; row < block.item.size(); ++row) {
        const std::string_view cell = block.attributes[a][row];
        if (add_attribute_cell(attribute, block.item[row], cell, options_.missing) !=
            CellUse::broken)
          continue;
        reject(
            block.bad_cells, bad_cell_reason(attribute.column), block.line[row],
            [&] { return bad_cell_example(attribute.column, cell); }, RowFate::cell);
      }
    }
  }

  /// Counts what a block left out. Throws InputError if that is an error.
  void add_rejections(const std::vector<LogBlock::Rejected>& found, Rejections& rejections) const {
    for (const LogBlock::Rejected& rejected : found) {
      RowCounts::Reason reason = rejected.reason;
      if (reason.is_error)
        reason.example =
            fmt::format("{}:{}: {}", path_, next_line_ + rejected.line, reason.example);
      rejections.add(reason);
    }
  }

  void commit(const LogBlock& block, std::size_t blocks_left, Progress& progress) {
    add_rejections(block.rejected, rejections_);
    add_rejections(block.bad_cells, rejections_);
    add_rejections(block.remarks, remarks_);
    num_read_ += block.num_read;
    num_read_in_all_ += block.num_read;
    time_units_ += block.time_units;
    next_line_ += block.num_lines;
    graph::Interactions& rows = result_.log.rows;
    // Pages that are never written cost nothing; growing step by step would copy the columns.
    const std::size_t size = rows.weight.size() + block.rows.weight.size();
    const std::size_t expected = size + blocks_left * block.rows.weight.size() / 32 * 33;
    if (blocks_left > 0 && size > rows.weight.capacity()) {
      const std::size_t row_bytes =
          sizeof(NodeId) * 2 + sizeof(float) + (roles_.time ? sizeof(std::int64_t) : 0) +
          (roles_.event ? sizeof(std::int8_t) : 0) + (roles_.session ? sizeof(NodeId) : 0);
      announce_memory(progress, static_cast<std::int64_t>(expected * row_bytes),
                      fmt::format("about {} rows", expected));
    }
    const auto append = [&](auto& column, const auto& more) {
      if (more.empty()) return;
      if (size > column.capacity()) column.reserve(std::max(expected, 2 * column.capacity()));
      column.insert(column.end(), more.begin(), more.end());
    };
    append(rows.user, block.rows.user);
    append(rows.item, block.rows.item);
    append(rows.weight, block.rows.weight);
    append(rows.time_ms, block.rows.time_ms);
    append(rows.event, block.rows.event);
    append(rows.session, block.rows.session);
    append(result_.given_parts, block.part);
    progress.update(num_read_in_all_, 0, fmt::format("{} rows", num_read_in_all_));
    stop_if_asked(progress);
  }

  const IngestOptions& options_;
  ReadResult& result_;
  RawCatalog& catalog_;
  Rejections rejections_;  ///< of the file
  Rejections remarks_;     ///< on its rows
  LogRoles roles_;
  TimeParser parse_time_;
  TimeCounts time_units_;
  LogEncoder encoder_;
  std::vector<LogBlock> blocks_;
  std::string path_;
  std::int64_t num_read_ = 0;         ///< of the file
  std::int64_t num_read_in_all_ = 0;  ///< of all files
  std::int64_t next_line_ = 1;        ///< first line of the block to commit
};

}  // namespace

void read_table_log(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
                    Progress& progress) {
  if (options.log.files.empty()) throw InputError("ingest: no log file given (data.log, or --log)");
  LogReader reader(options, result, catalog);
  for (const auto& [files, role] : {std::pair(&options.log.files, InputRole::log),
                                    std::pair(&options.validation_files, InputRole::validation),
                                    std::pair(&options.test_files, InputRole::test)}) {
    for (const auto& file : *files) {
      if (files->size() > 1 && holds_nothing(file, options.log.text)) {
        FileAccount& account = result.files.emplace_back();
        account.path = file;
        account.role = role;
        account.first_row = result.log.rows.weight.size();
        account.lines.emplace();
      } else {
        reader.read(file, role, progress);
      }
    }
  }
  reader.settle(progress);
  result.default_split = default_split(options);
}

}  // namespace penchant::pipeline
