// SPDX-License-Identifier: Apache-2.0
// Delimited text and Parquet logs with column roles, block by block: Arrow splits the next blocks
// in its own threads while this one interns ids and parses times.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/read_formats.h"
#include "pipeline/tables.h"
#include "pipeline/time_parse.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0.0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

/// A filter with its number parsed once.
class FilterRule {
 public:
  FilterRule(const RowFilter& filter, std::size_t column)
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
        throw InputError(fmt::format("filter '{} {} {}': expected a number", filter.column,
                                     filter.op, filter.values.front()));
      limit_ = *limit;
    }
  }
  std::size_t column() const { return column_; }
  const RowFilter& filter() const { return filter_; }
  bool numeric() const { return numeric_; }
  const std::string& reason() const { return reason_; }
  bool accepts(double value) const {
    if (filter_.op == "<") return value < limit_;
    if (filter_.op == "<=") return value <= limit_;
    if (filter_.op == ">") return value > limit_;
    return value >= limit_;
  }
  bool accepts(std::string_view cell) const {
    const auto& values = filter_.values;
    const bool listed = std::find(values.begin(), values.end(), cell) != values.end();
    const bool prefixed = std::any_of(values.begin(), values.end(), [&](const std::string& value) {
      return cell.starts_with(value);
    });
    if (filter_.op == "==" || filter_.op == "in") return listed;
    if (filter_.op == "!=" || filter_.op == "not_in") return !listed;
    return filter_.op == "prefix" ? prefixed : !prefixed;
  }

 private:
  RowFilter filter_;
  std::size_t column_;
  std::string reason_;
  bool numeric_ = false;
  double limit_ = 0.0;
};

/// Reads one log file after another; holds what is constant over rows.
class LogReader {
 public:
  LogReader(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
            Rejections& rejections)
      : options_(options),
        result_(result),
        catalog_(catalog),
        rejections_(rejections),
        parse_time_(options.time_format) {
    if (options.columns.user.empty())
      throw InputError("ingest: no column for the role 'user' (data.columns.user)");
    if (options.columns.item.empty())
      throw InputError("ingest: no column for the role 'item' (data.columns.item)");
    user_ = add_column(options.columns.user);
    item_ = add_column(options.columns.item);
    time_ = add_optional(options.columns.time);
    event_ = add_optional(options.columns.event);
    weight_ = add_optional(options.columns.weight);
    session_ = add_optional(options.columns.session);
    for (const RowFilter& filter : options.filters)
      filters_.emplace_back(filter, add_column(filter.column));
    if (!has_item_table(options)) {
      for (const AttributeColumn& attribute : options.attributes) {
        catalog.attributes.push_back({attribute, {}, {}});
        attribute_columns_.push_back(add_column(attribute.column));
      }
    }
    for (const auto& [name, weight] : options.event_weights) {
      if (!(weight > 0.0))
        throw InputError(
            fmt::format("event weight of '{}' is {}, expected more than 0", name, weight));
      if (event_) result.event_names.push_back(name);
    }
    if (result.event_names.size() > 127) throw InputError("more than 127 event types");
  }

  void read(const std::filesystem::path& path, Progress& progress) {
    path_ = path.string();
    TableReader reader(path, {options_.log.separator, options_.log.header, options_.log.quote},
                       columns_);
    timestamp_ = time_ && reader.is_timestamp(*time_);
    TextBatch batch;
    while (reader.next(batch)) {
      add_batch(batch);
      progress.update(result_.rows.read, 0, fmt::format("{} rows", result_.rows.read));
      if (progress.stop_requested()) throw InputError("ingest: interrupted; nothing was written");
    }
  }

 private:
  std::size_t add_column(const std::string& name) {
    const auto place = std::find(columns_.begin(), columns_.end(), name);
    if (place != columns_.end()) return static_cast<std::size_t>(place - columns_.begin());
    columns_.push_back(name);
    return columns_.size() - 1;
  }
  std::optional<std::size_t> add_optional(const std::string& name) {
    return name.empty() ? std::nullopt : std::optional<std::size_t>(add_column(name));
  }

  std::string where(std::int64_t line) const { return fmt::format("{}:{}", path_, line); }

  void add_batch(const TextBatch& batch) {
    for (const MalformedRow& row : batch.malformed) {
      ++result_.rows.read;
      rejections_.malformed("wrong number of fields", [&] {
        return fmt::format("{}: {} fields, expected {}", row.line > 0 ? where(row.line) : path_,
                           row.found_fields, row.expected_fields);
      });
    }
    graph::Interactions& rows = result_.log.rows;
    accepted_.clear();
    users_.clear();
    items_.clear();
    sessions_.clear();
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
      if (batch.is_blank(row)) continue;
      ++result_.rows.read;
      if (add_row(batch, row)) accepted_.push_back(row);
    }
    const std::size_t first = rows.user.size();
    rows.user.resize(first + accepted_.size());
    rows.item.resize(first + accepted_.size());
    intern(result_.log.users, users_, std::span(rows.user).subspan(first), "user", batch);
    intern(result_.log.items, items_, std::span(rows.item).subspan(first), "item", batch);
    if (session_) {
      rows.session.resize(first + accepted_.size());
      result_.log.sessions.intern_all(sessions_, std::span(rows.session).subspan(first));
      for (std::size_t i = 0; i < accepted_.size(); ++i) {
        if (sessions_[i].empty()) rows.session[first + i] = graph::kNoNode;
      }
    }
    for (std::size_t a = 0; a < attribute_columns_.size(); ++a) {
      for (std::size_t i = 0; i < accepted_.size(); ++i) {
        const std::string_view cell = batch.columns[attribute_columns_[a]][accepted_[i]];
        if (add_attribute_cell(catalog_.attributes[a], items_[i], cell, options_.missing) &&
            !is_valid_utf8(cell)) {
          throw InputError(fmt::format(
              "{}: column '{}' is not valid UTF-8; expected the file to be UTF-8 encoded",
              where(batch.line(accepted_[i])), options_.attributes[a].column));
        }
      }
    }
  }

  /// Interns and checks the encoding of ids that are new: once an id, not once a row.
  void intern(graph::Dictionary& dictionary, const std::vector<std::string_view>& raws,
              std::span<NodeId> ids, const char* role, const TextBatch& batch) {
    const std::int64_t known = dictionary.size();
    dictionary.intern_all(raws, ids);
    for (std::int64_t id = known; id < dictionary.size(); ++id) {
      if (is_valid_utf8(dictionary.raw(static_cast<NodeId>(id)))) continue;
      const auto place = static_cast<std::size_t>(
          std::find(ids.begin(), ids.end(), static_cast<NodeId>(id)) - ids.begin());
      throw InputError(
          fmt::format("{}: the {} id is not valid UTF-8; expected the file to be UTF-8 encoded",
                      where(batch.line(accepted_[place])), role));
    }
  }

  /// Checks one row; if it is good, appends everything but the ids, whose text is kept for the
  /// batch.
  bool add_row(const TextBatch& batch, std::size_t row) {
    const std::int64_t line = batch.line(row);
    const auto cell = [&](std::size_t column) { return batch.columns[column][row]; };
    for (const FilterRule& rule : filters_) {
      const std::string_view text = cell(rule.column());
      bool accepted = false;
      if (rule.numeric()) {
        const auto value = parse_number(text);
        if (!value) {
          rejections_.malformed(fmt::format("column '{}' is not a number", rule.filter().column),
                                [&] {
                                  return fmt::format("{}: column '{}' is '{}', expected a number",
                                                     where(line), rule.filter().column, text);
                                });
          return false;
        }
        accepted = rule.accepts(*value);
      } else {
        accepted = rule.accepts(text);
      }
      if (!accepted) {
        rejections_.filtered(rule.reason());
        return false;
      }
    }
    const std::string_view user = cell(user_);
    const std::string_view item = cell(item_);
    if (is_missing(user, options_.missing)) {
      rejections_.malformed("missing user", [&] {
        return fmt::format("{}: column '{}' is empty", where(line), options_.columns.user);
      });
      return false;
    }
    if (is_missing(item, options_.missing)) {
      rejections_.malformed("missing item", [&] {
        return fmt::format("{}: column '{}' is empty", where(line), options_.columns.item);
      });
      return false;
    }
    std::int64_t time = graph::kNoTime;
    if (time_ && !parse_time(cell(*time_), line, time)) return false;
    double weight = 1.0;
    std::int8_t event = 0;
    if (event_ && !parse_event(cell(*event_), line, event, weight)) return false;
    if (weight_ && !parse_weight(cell(*weight_), line, weight)) return false;

    graph::Interactions& rows = result_.log.rows;
    rows.weight.push_back(static_cast<float>(weight));
    if (time_) rows.time_ms.push_back(time);
    if (event_) rows.event.push_back(event);
    if (session_) {
      const std::string_view session = cell(*session_);
      sessions_.push_back(is_missing(session, options_.missing) ? std::string_view("", 0)
                                                                : session);
    }
    users_.push_back(user);
    items_.push_back(item);
    return true;
  }

  bool parse_time(std::string_view text, std::int64_t line, std::int64_t& time) {
    if (text == last_time_text_ &&
        !last_time_text_.empty()) {  // logs come in time order: the same second many times
      time = last_time_;
      return true;
    }
    std::optional<std::int64_t> parsed;
    if (timestamp_) {
      parsed = TimeParser("ms")(text);
    } else {
      parsed = parse_time_(text);
    }
    if (!parsed) {
      rejections_.malformed("bad time", [&] {
        return fmt::format("{}: column '{}' is '{}', expected {}", where(line),
                           options_.columns.time, text, parse_time_.expectation());
      });
      return false;
    }
    time = *parsed;
    last_time_text_ = text;
    last_time_ = time;
    return true;
  }

  bool parse_event(std::string_view text, std::int64_t line, std::int8_t& event, double& weight) {
    for (std::size_t e = 0; e < options_.event_weights.size(); ++e) {
      if (text == options_.event_weights[e].first) {
        event = static_cast<std::int8_t>(e);
        weight = options_.event_weights[e].second;
        return true;
      }
    }
    rejections_.malformed("unknown event type", [&] {
      return fmt::format("{}: column '{}' is '{}', expected one of: {}", where(line),
                         options_.columns.event, text, fmt::join(result_.event_names, ", "));
    });
    return false;
  }

  bool parse_weight(std::string_view text, std::int64_t line, double& weight) {
    const auto value = parse_number(text);
    if (!value || !(*value > 0.0) || *value > 1e9) {
      rejections_.malformed("bad weight", [&] {
        return fmt::format("{}: column '{}' is '{}', expected a number above 0", where(line),
                           options_.columns.weight, text);
      });
      return false;
    }
    weight *= *value;
    return true;
  }

  const IngestOptions& options_;
  ReadResult& result_;
  RawCatalog& catalog_;
  Rejections& rejections_;
  TimeParser parse_time_;
  std::vector<std::string> columns_;
  std::size_t user_ = 0, item_ = 0;
  std::optional<std::size_t> time_, event_, weight_, session_;
  std::vector<FilterRule> filters_;
  std::vector<std::size_t> attribute_columns_;
  std::string path_;
  bool timestamp_ = false;
  std::string last_time_text_;
  std::int64_t last_time_ = 0;
  // Of the current batch:
  std::vector<std::size_t> accepted_;
  std::vector<std::string_view> users_, items_, sessions_;
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
