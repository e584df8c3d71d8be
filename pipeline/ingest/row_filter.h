// SPDX-License-Identifier: Apache-2.0
// Filters of rows: "column op value". Numbers are compared as numbers wherever both sides are
// numbers, times and true/false likewise, everything else as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/time_parse.h"

namespace penchant::pipeline {

/// Reads "column op value". Of in, not_in, prefix and not_prefix the value is a list with commas;
/// blanks around a value are no part of it; one that has commas or blanks of its own stands in
/// quotes, "a, b", and a quote in it is doubled. Throws InputError.
RowFilter parse_filter(std::string_view text);
/// The same filter as text that parse_filter reads.
std::string filter_text(const RowFilter& filter);

/// A filter that is ready to judge cells: its values are parsed once.
class FilterRule {
 public:
  enum class Verdict : std::uint8_t { keep, leave_out, not_comparable };

  /// `column`: its place in the batch. Throws InputError: unknown operator, no value, a value that
  /// should be a number or a time.
  FilterRule(const RowFilter& filter, std::size_t column);
  std::size_t column() const { return column_; }
  const RowFilter& filter() const { return filter_; }
  const std::string& reason() const { return reason_; }
  /// not_comparable: < or > of a cell that is no number, or no time where the filter names one.
  Verdict judge(std::string_view cell, char decimal = '.') const;
  /// The same for a cell that is a time in milliseconds since 1970.
  Verdict judge_time(std::string_view milliseconds) const;
  /// "a number" or "a time": what a cell has to be for < and >.
  const char* expected() const { return values_.front().number ? "a number" : "a time"; }

 private:
  enum class Operation : std::uint8_t {
    listed,
    not_listed,
    below,
    at_most,
    above,
    at_least,
    prefixed,
    not_prefixed
  };
  struct Value {
    std::string text;
    std::optional<double> number;
    std::optional<std::int64_t> time;
    std::optional<bool> truth;
  };
  bool is_listed(std::string_view cell, char decimal) const;
  Verdict judge_order(int order) const;

  RowFilter filter_;
  std::size_t column_;
  std::string reason_;
  Operation operation_ = Operation::listed;
  std::vector<Value> values_;
  bool any_number_ = false, any_time_ = false, any_truth_ = false;
  TimeParser parse_time_{"iso8601"};
};

}  // namespace penchant::pipeline
