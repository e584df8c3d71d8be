// SPDX-License-Identifier: Apache-2.0
// Rows of a log that are judged without knowing any other row: filters, missing ids, times, event
// types, weights. Any thread may do it for any block; what depends on order (dense ids, line
// numbers, counts) comes after (read_table_log.cc).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/interactions.h"
#include "graph/split.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/ingest/time_parse.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

/// Spellings that mean "missing"; the empty cell always does.
class MissingSpellings {
 public:
  explicit MissingSpellings(const std::vector<std::string>& spellings);
  bool contains(std::string_view cell) const {
    if (cell.empty()) return true;
    return starts_[static_cast<unsigned char>(cell.front())] && is_listed(cell);
  }

 private:
  bool is_listed(std::string_view cell) const;
  std::vector<std::string> spellings_;
  std::vector<bool> starts_;  ///< by first byte
};

/// The part that a cell names, in any case of letters.
std::optional<graph::Part> part_of(std::string_view cell, const PartWords& words);

/// Short texts that stay where they are.
class TextRoom {
 public:
  std::string_view keep(std::string_view text) {
    if (text.size() > left_) {
      left_ = std::max(kChunk, text.size());
      at_ = chunks_.emplace_back(std::make_unique<char[]>(left_)).get();
    }
    std::copy(text.begin(), text.end(), at_);
    const std::string_view kept(at_, text.size());
    at_ += text.size();
    left_ -= text.size();
    return kept;
  }
  void clear() {
    chunks_.clear();
    left_ = 0;
  }

 private:
  static constexpr std::size_t kChunk = std::size_t{1} << 16;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  std::size_t left_ = 0;
};

/// Which column of a batch plays which role.
struct LogRoles {
  std::vector<std::string> columns;  ///< the batch's
  std::size_t user = 0, item = 0;
  std::optional<std::size_t> time, event, weight, session, part;
  std::vector<FilterRule> filters;
  std::vector<std::size_t> attributes;  ///< read from the log itself

  /// Throws InputError: no user or item column, a bad filter.
  explicit LogRoles(const IngestOptions& options);
  /// Whether the column of times has no other role, so that nothing needs its text.
  bool time_alone() const;
};

/// Rows of one block that were accepted, in order, and counts of the others. Text is a view into
/// the block, or of an id that took another's place into `ids` or the rules for them.
struct LogBlock {
  TableBlock table;
  std::vector<std::string_view> user, item, session;
  TextRoom ids;
  std::vector<std::vector<std::string_view>> attributes;
  std::vector<std::uint32_t> line;  ///< counted from 0 at the start of the block
  std::vector<graph::Part> part;    ///< where a column says it
  graph::Interactions rows;         ///< user, item, session: filled from the text later
  std::int64_t num_read = 0;
  std::int64_t num_lines = 0;
  TimeCounts time_units;  ///< of the accepted rows
  struct Rejected {
    RowCounts::Reason reason;  ///< its example lacks the place
    std::int64_t line = 0;     ///< of the example
  };
  std::vector<Rejected> rejected;   ///< rows that do not split into fields first, then in order
  std::vector<Rejected> remarks;    ///< on rows that are read
  std::vector<Rejected> bad_cells;  ///< attributes that are taken as missing; filled later
};

/// Counts a row or cell; `example` is built for the first one of a reason.
template <typename Example>
void reject(std::vector<LogBlock::Rejected>& rejected, std::string_view reason, std::int64_t line,
            const Example& example, RowFate fate = RowFate::rejected) {
  for (LogBlock::Rejected& known : rejected) {
    if (known.reason.reason != reason) continue;
    ++known.reason.rows;
    return;
  }
  rejected.push_back({{std::string(reason), 1, example(), true, fate}, line});
}

/// Fills LogBlocks. One object serves all threads.
class LogEncoder {
 public:
  LogEncoder(const IngestOptions& options, const LogRoles& roles, const TimeParser& parse_time);
  /// `timestamps`: the time column is a Parquet timestamp.
  void encode(const TableReader& reader, bool timestamps, LogBlock& block) const;

 private:
  struct Row;
  void add_row(const TextBatch& batch, std::size_t row, Row& state, LogBlock& block) const;

  const IngestOptions& options_;
  const LogRoles& roles_;
  MissingSpellings missing_;
  const TimeParser& parse_time_;
};

}  // namespace penchant::pipeline
