// SPDX-License-Identifier: Apache-2.0
// Delimited text and Parquet logs with column roles, block by block: any thread splits a block and
// judges its rows (log_block.h) while others give dense ids to the ids of earlier blocks, in order.
#include <algorithm>
#include <limits>

#include <fmt/core.h>
#include <omp.h>

#include "graph/error.h"
#include "pipeline/block_stages.h"
#include "pipeline/log_block.h"
#include "pipeline/read_formats.h"
#include "pipeline/tables.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Reads one log file after another; holds what is constant over rows.
class LogReader {
 public:
  LogReader(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
            Rejections& rejections)
      : options_(options),
        result_(result),
        catalog_(catalog),
        rejections_(rejections),
        roles_(options),
        encoder_(options, roles_) {
    if (!has_item_table(options)) {
      for (const AttributeColumn& attribute : options.attributes)
        catalog.attributes.push_back({attribute, {}, {}, false});
    }
    for (const auto& [name, weight] : options.event_weights) {
      if (!(weight > 0.0))
        throw InputError(
            fmt::format("event weight of '{}' is {}, expected more than 0", name, weight));
      if (roles_.event) result.event_names.push_back(name);
    }
    if (result.event_names.size() > 127) throw InputError("more than 127 event types");
    // One block a thread to encode, two that wait for their ids.
    blocks_.resize(static_cast<std::size_t>(omp_get_max_threads()) + 2);
  }

  void read(const std::filesystem::path& path, Progress& progress) {
    path_ = path.string();
    TableReader reader(path, {options_.log.separator, options_.log.header, options_.log.quote},
                       roles_.columns);
    const bool timestamps = roles_.time && reader.is_timestamp(*roles_.time);
    next_line_ = reader.first_line();
    BlockStages stages;
    stages.fetch = [&](std::size_t slot) { return reader.fetch(blocks_[slot].table); };
    stages.encode = [&](std::size_t slot) { encoder_.encode(reader, timestamps, blocks_[slot]); };
    stages.ordered = {[&](std::size_t slot) {
                        LogBlock& block = blocks_[slot];
                        intern(result_.log.users, block, block.user, block.rows.user, "user");
                      },
                      [&](std::size_t slot) {
                        LogBlock& block = blocks_[slot];
                        intern(result_.log.items, block, block.item, block.rows.item, "item");
                      },
                      [&](std::size_t slot) { intern_sessions(blocks_[slot]); },
                      [&](std::size_t slot) { add_attributes(blocks_[slot]); }};
    std::size_t blocks_left = reader.expected_blocks();
    stages.commit = [&](std::size_t slot) {
      blocks_left -= std::min<std::size_t>(blocks_left, 1);
      commit(blocks_[slot], blocks_left, progress);
    };
    try {
      run_block_stages(stages, blocks_.size());
    } catch (const RowError& error) {
      add_rejections(*error.block);  // a rejected row that is an error comes first
      const std::int64_t line = next_line_ + error.block->line[error.row];
      throw InputError(fmt::format("{}: {}", where(line), error.text));
    }
    result_.input_hashes.emplace(path_, reader.hash());
  }

 private:
  /// Broken encoding in a row of a block; how many lines came before is known later.
  struct RowError {
    const LogBlock* block;
    std::size_t row;
    std::string text;
  };

  std::string where(std::int64_t line) const { return fmt::format("{}:{}", path_, line); }

  /// Gives dense ids, and checks the encoding of ids that are new: once an id, not once a row.
  static void intern(graph::Dictionary& dictionary, const LogBlock& block,
                     const std::vector<std::string_view>& raws, std::vector<NodeId>& ids,
                     const char* role) {
    const std::int64_t known = dictionary.size();
    ids.resize(raws.size());
    dictionary.intern_all(raws, ids);
    for (std::int64_t id = known; id < dictionary.size(); ++id) {
      if (is_valid_utf8(dictionary.raw(static_cast<NodeId>(id)))) continue;
      const auto place = static_cast<std::size_t>(
          std::find(ids.begin(), ids.end(), static_cast<NodeId>(id)) - ids.begin());
      throw RowError{
          &block, place,
          fmt::format("the {} id is not valid UTF-8; expected the file to be UTF-8 encoded", role)};
    }
  }

  void intern_sessions(LogBlock& block) {
    if (!roles_.session) return;
    block.rows.session.resize(block.session.size());
    result_.log.sessions.intern_all(block.session, block.rows.session);
    for (std::size_t row = 0; row < block.session.size(); ++row) {
      if (block.session[row].empty()) block.rows.session[row] = graph::kNoNode;
    }
  }

  void add_attributes(const LogBlock& block) {
    for (std::size_t a = 0; a < block.attributes.size(); ++a) {
      for (std::size_t row = 0; row < block.item.size(); ++row) {
        const std::string_view cell = block.attributes[a][row];
        if (!add_attribute_cell(catalog_.attributes[a], block.item[row], cell, options_.missing) ||
            is_valid_utf8(cell))
          continue;
        throw RowError{
            &block, row,
            fmt::format("column '{}' is not valid UTF-8; expected the file to be UTF-8 encoded",
                        options_.attributes[a].column)};
      }
    }
  }

  /// Counts the rows that a block left out. Throws InputError if that is an error.
  void add_rejections(const LogBlock& block) {
    for (const LogBlock::Rejected& rejected : block.rejected) {
      RowCounts::Reason reason = rejected.reason;
      if (reason.is_error)
        reason.example = fmt::format("{}: {}", where(next_line_ + rejected.line), reason.example);
      rejections_.add(reason);
    }
  }

  void commit(const LogBlock& block, std::size_t blocks_left, Progress& progress) {
    add_rejections(block);
    result_.rows.read += block.num_read;
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
    progress.update(result_.rows.read, 0, fmt::format("{} rows", result_.rows.read));
    if (progress.stop_requested()) throw InputError("ingest: interrupted; nothing was written");
  }

  const IngestOptions& options_;
  ReadResult& result_;
  RawCatalog& catalog_;
  Rejections& rejections_;
  LogRoles roles_;
  LogEncoder encoder_;
  std::vector<LogBlock> blocks_;
  std::string path_;
  std::int64_t next_line_ = 1;  ///< first line of the block to commit
};

}  // namespace

bool is_missing(std::string_view cell, const std::vector<std::string>& spellings) {
  if (cell.empty()) return true;
  return std::find(spellings.begin(), spellings.end(), cell) != spellings.end();
}

bool is_valid_utf8(std::string_view text) {
  // The table of well-formed byte sequences of the Unicode standard, table 3-7.
  std::size_t i = 0;
  const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(text[place]); };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead < 0x80) {
      more = 0;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    for (std::size_t k = 1; k <= more; ++k) {
      if (i + k >= text.size() || byte(i + k) < low || byte(i + k) > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    i += more + 1;
  }
  return true;
}

void read_table_log(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
                    Rejections& rejections, Progress& progress) {
  if (options.log.files.empty()) throw InputError("ingest: no log file given (data.log, or --log)");
  LogReader reader(options, result, catalog, rejections);
  for (const auto& file : options.log.files) reader.read(file, progress);
  result.default_split = options.columns.time.empty() ? graph::SplitMethod::random_per_user
                                                      : graph::SplitMethod::global_time;
}

}  // namespace penchant::pipeline
