// SPDX-License-Identifier: Apache-2.0
// The middle of ingest: rows as they come from a reader are collected, ordered, thinned and made
// into a Dataset.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dictionary.h"
#include "graph/interactions.h"
#include "graph/split.h"
#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

/// Why a row that agrees with another in every column is left out.
inline constexpr const char* kExactRepeat = "exact repeat of a row";

/// Counts rejected rows by reason, in the order in which reasons first occur. In strict mode a
/// malformed row throws InputError. Examples quote cells, so they are made valid UTF-8 here, or,
/// where ids become pseudonyms, cut to the place.
class Rejections {
 public:
  explicit Rejections(const IngestOptions& options);
  /// A row that is wrong: `example` is built only for the first one of a reason.
  void malformed(std::string_view reason, const std::function<std::string()>& example,
                 RowFate fate = RowFate::rejected);
  /// Rows of one reason together. With `strict`, throws if the reason is an error.
  void add(const RowCounts::Reason& reason);
  /// Rows that are left out, but not because they are wrong.
  void filtered(std::string_view reason, std::int64_t rows = 1);
  std::vector<RowCounts::Reason> take() { return std::move(reasons_); }

 private:
  RowCounts::Reason& find(std::string_view reason, bool is_error, RowFate fate);
  void refuse_if_strict(const RowCounts::Reason& reason) const;
  std::string shown(const std::string& example) const;
  bool strict_;
  bool withholds_cells_;
  std::vector<RowCounts::Reason> reasons_;
};

/// The log while it is read: columns in input order and the dictionaries they refer to.
struct RawLog {
  graph::Interactions rows;
  graph::Dictionary users, items, sessions;
};

/// A log in the order (user, time, input), of which the columns that decide about rows are moved
/// and the others wait until each row's part is known (graph::divide_log).
struct OrderedLog {
  graph::Interactions rows;          ///< user, item, time_ms: in order; the others as they were
  std::vector<std::uint32_t> order;  ///< where row i of them lies in the others; empty: at i
  std::vector<graph::Part> parts;    ///< given by the files, else train; or left_out

  std::size_t row_of(std::size_t i) const { return order.empty() ? i : order[i]; }
};
OrderedLog order_log(graph::Interactions log, std::int64_t num_users);

/// Gives each row its place among the user's, from 0, for a time.
void number_rows(OrderedLog& log);

/// Applies RepeatPolicy, the limit of a user's rows, then the k-core: rows become left_out and are
/// counted. Repeats are those within a part, of rows that stand in two parts the later goes (or is
/// an error), and the limits are for training rows: what is held out stays as it was given.
void thin_log(OrderedLog& log, const RawLog& raw, const IngestOptions& options,
              LeftOutRows& left_out);

/// Rows of items that `table` does not list become left_out and are counted; the first `num_known` of
/// `items` are listed, as those of a data set that rows are added to.
void leave_unlisted_out(OrderedLog& log, const graph::Dictionary& items,
                        const graph::Dictionary& table, std::int64_t num_known,
                        LeftOutRows& left_out);

/// How many ids of dictionaries are those of a data set that rows are added to, and stay.
struct KnownIds {
  std::int64_t users = 0, items = 0;
};
/// Renumbers users and items to those that are known or occur in rows of `log` that are not left out
/// (order of first appearance kept); drops the others.
void compact_dictionaries(OrderedLog& log, graph::Dictionary& users, graph::Dictionary& items,
                          const KnownIds& known = {});

}  // namespace penchant::pipeline
