// SPDX-License-Identifier: Apache-2.0
#include "pipeline/log_block.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/utf8.h"

namespace penchant::pipeline {

namespace {

constexpr std::size_t kSliceBytes = std::size_t{64} << 10;  // cells of a slice stay in the L2 cache

std::optional<double> parse_number(std::string_view text) {
  double value = 0.0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::size_t add_column(std::vector<std::string>& columns, const std::string& name) {
  const auto place = std::find(columns.begin(), columns.end(), name);
  if (place != columns.end()) return static_cast<std::size_t>(place - columns.begin());
  columns.push_back(name);
  return columns.size() - 1;
}

std::optional<std::size_t> add_optional(std::vector<std::string>& columns,
                                        const std::string& name) {
  return name.empty() ? std::nullopt : std::optional<std::size_t>(add_column(columns, name));
}

void filter_out(std::vector<LogBlock::Rejected>& rejected, std::string_view reason) {
  reject(rejected, reason, 0, [] { return std::string(); });
  for (LogBlock::Rejected& known : rejected) {
    if (known.reason.reason == reason) known.reason.is_error = false;
  }
}

}  // namespace

MissingSpellings::MissingSpellings(const std::vector<std::string>& spellings)
    : spellings_(spellings), starts_(256, false) {
  for (const std::string& spelling : spellings) {
    if (!spelling.empty()) starts_[static_cast<unsigned char>(spelling.front())] = true;
  }
}

bool MissingSpellings::is_listed(std::string_view cell) const {
  return std::find(spellings_.begin(), spellings_.end(), cell) != spellings_.end();
}

FilterRule::FilterRule(const RowFilter& filter, std::size_t column)
    : filter_(filter),
      column_(column),
      reason_(fmt::format("filtered out: not {} {} {}", filter.column, filter.op,
                          fmt::join(filter.values, ","))) {
  numeric_ = filter.op == "<" || filter.op == "<=" || filter.op == ">" || filter.op == ">=";
  const bool known = numeric_ || filter.op == "==" || filter.op == "!=" || filter.op == "in" ||
                     filter.op == "not_in" || filter.op == "prefix" || filter.op == "not_prefix";
  if (!known) {
    throw InputError(fmt::format(
        "filter '{} {}': expected one of ==, !=, <, <=, >, >=, in, not_in, prefix, not_prefix",
        filter.column, filter.op));
  }
  if (filter.values.empty())
    throw InputError(fmt::format("filter '{} {}' has no value", filter.column, filter.op));
  if (numeric_) {
    const auto limit = parse_number(filter.values.front());
    if (!limit)
      throw InputError(fmt::format("filter '{} {} {}': expected a number", filter.column, filter.op,
                                   filter.values.front()));
    limit_ = *limit;
  }
}

bool FilterRule::accepts(double value) const {
  if (filter_.op == "<") return value < limit_;
  if (filter_.op == "<=") return value <= limit_;
  if (filter_.op == ">") return value > limit_;
  return value >= limit_;
}

bool FilterRule::accepts(std::string_view cell) const {
  const auto& values = filter_.values;
  const bool listed = std::find(values.begin(), values.end(), cell) != values.end();
  const bool prefixed = std::any_of(values.begin(), values.end(), [&](const std::string& value) {
    return cell.starts_with(value);
  });
  if (filter_.op == "==" || filter_.op == "in") return listed;
  if (filter_.op == "!=" || filter_.op == "not_in") return !listed;
  return filter_.op == "prefix" ? prefixed : !prefixed;
}

LogRoles::LogRoles(const IngestOptions& options) {
  if (options.columns.user.empty())
    throw InputError("ingest: no column for the role 'user' (data.columns.user)");
  if (options.columns.item.empty())
    throw InputError("ingest: no column for the role 'item' (data.columns.item)");
  user = add_column(columns, options.columns.user);
  item = add_column(columns, options.columns.item);
  time = add_optional(columns, options.columns.time);
  event = add_optional(columns, options.columns.event);
  weight = add_optional(columns, options.columns.weight);
  session = add_optional(columns, options.columns.session);
  for (const RowFilter& filter : options.filters)
    filters.emplace_back(filter, add_column(columns, filter.column));
  if (has_item_table(options)) return;
  for (const AttributeColumn& attribute : options.attributes)
    attributes.push_back(add_column(columns, attribute.column));
}

LogEncoder::LogEncoder(const IngestOptions& options, const LogRoles& roles)
    : options_(options),
      roles_(roles),
      missing_(options.missing),
      parse_time_(options.time_format) {}

/// What one row finds, and what it passes on to the next.
struct LogEncoder::Row {
  explicit Row(const TimeParser& parse) : parse_time(parse) {}
  const TimeParser& parse_time;
  std::string_view last_text;  ///< logs come in time order: the same second many times
  std::int64_t last_time = 0;
};

void LogEncoder::encode(const TableReader& reader, bool timestamps, LogBlock& block) const {
  block.user.clear();
  block.item.clear();
  block.session.clear();
  block.line.clear();
  block.attributes.resize(roles_.attributes.size());
  for (auto& cells : block.attributes) cells.clear();
  block.rows.weight.clear();
  block.rows.time_ms.clear();
  block.rows.event.clear();
  block.rejected.clear();
  block.remarks.clear();
  block.bad_cells.clear();
  block.num_read = 0;
  block.num_lines = 0;
  std::vector<LogBlock::Rejected> malformed;
  const TimeParser milliseconds("ms");
  Row state(timestamps ? milliseconds : parse_time_);
  TextBatch batch;
  while (reader.split(block.table, batch, kSliceBytes)) {
    for (const MalformedRow& row : batch.malformed) {
      ++block.num_read;
      reject(malformed, "wrong number of fields", row.line, [&] { return explain(row); });
    }
    for (const OpenQuote& quote : batch.open_quotes)
      reject(block.remarks, kOpenQuote, quote.line, [&] { return explain(quote); });
    const auto num_rows = static_cast<std::size_t>(batch.num_rows);
    for (std::size_t row = 0; row < num_rows; ++row) {
      ++block.num_read;
      add_row(batch, row, state, block);
    }
    block.num_lines += batch.counts.lines;
  }
  block.rejected.insert(block.rejected.begin(), malformed.begin(), malformed.end());
}

void LogEncoder::add_row(const TextBatch& batch, std::size_t row, Row& state,
                         LogBlock& block) const {
  const auto cell = [&](std::size_t column) { return batch.columns[column][row]; };
  const auto refuse = [&](std::string_view reason, const auto& example) {
    reject(block.rejected, reason, batch.line(row), example);
  };
  const auto is_not_a_number = [](const std::string& column, std::string_view text,
                                  const char* expected) {
    return fmt::format("column '{}' is '{}', expected {}", column, text, expected);
  };
  for (const FilterRule& rule : roles_.filters) {
    const std::string_view text = cell(rule.column());
    bool accepted = false;
    if (rule.numeric()) {
      const auto value = parse_number(text);
      if (!value) {
        return refuse(fmt::format("column '{}' is not a number", rule.filter().column),
                      [&] { return is_not_a_number(rule.filter().column, text, "a number"); });
      }
      accepted = rule.accepts(*value);
    } else {
      accepted = rule.accepts(text);
    }
    if (!accepted) return filter_out(block.rejected, rule.reason());
  }
  const std::string_view user = cell(roles_.user);
  const std::string_view item = cell(roles_.item);
  const auto is_empty = [](const std::string& column) {
    return fmt::format("column '{}' is empty", column);
  };
  if (missing_.contains(user))
    return refuse("missing user", [&] { return is_empty(options_.columns.user); });
  if (missing_.contains(item))
    return refuse("missing item", [&] { return is_empty(options_.columns.item); });
  for (const std::size_t id : {roles_.user, roles_.item}) {
    if (is_valid_utf8(cell(id))) continue;
    return refuse(kBrokenUtf8, [&] {
      return explain_broken_utf8(fmt::format("column '{}'", roles_.columns[id]), cell(id));
    });
  }
  if (roles_.time) {
    const std::string_view text = cell(*roles_.time);
    if (text != state.last_text || text.empty()) {
      const std::optional<std::int64_t> time = state.parse_time(text);
      if (!time) {
        return refuse("bad time", [&] {
          return is_not_a_number(options_.columns.time, text, parse_time_.expectation().c_str());
        });
      }
      state.last_text = text;
      state.last_time = *time;
    }
  }
  double weight = 1.0;
  std::size_t event = 0;
  const auto& types = options_.event_weights;
  if (roles_.event) {
    const std::string_view text = cell(*roles_.event);
    while (event < types.size() && text != types[event].first) ++event;
    if (event == types.size()) {
      return refuse("unknown event type", [&] {
        std::vector<std::string_view> names;
        for (const auto& [name, _] : types) names.emplace_back(name);
        return fmt::format("column '{}' is '{}', expected one of: {}", options_.columns.event, text,
                           fmt::join(names, ", "));
      });
    }
    weight = types[event].second;
  }
  if (roles_.weight) {
    const std::string_view text = cell(*roles_.weight);
    const auto value = parse_number(text);
    if (!value || !(*value > 0.0) || *value > 1e9) {
      return refuse("bad weight", [&] {
        return is_not_a_number(options_.columns.weight, text,
                               "a number above 0 (data.columns.weight = \"\" leaves weights out)");
      });
    }
    weight *= *value;
  }
  block.user.push_back(user);
  block.item.push_back(item);
  block.line.push_back(static_cast<std::uint32_t>(batch.line(row)));
  block.rows.weight.push_back(static_cast<float>(weight));
  if (roles_.time) block.rows.time_ms.push_back(state.last_time);
  if (roles_.event) block.rows.event.push_back(static_cast<std::int8_t>(event));
  if (roles_.session) {
    const std::string_view session = cell(*roles_.session);
    block.session.push_back(missing_.contains(session) ? std::string_view() : session);
  }
  for (std::size_t a = 0; a < roles_.attributes.size(); ++a)
    block.attributes[a].push_back(cell(roles_.attributes[a]));
}

}  // namespace penchant::pipeline
