// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/log_block.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {

namespace {

// Sums of weights stay far from the ends of a float.
constexpr double kLargestWeight = 1e9;
constexpr double kSmallestWeight = 1e-30;
constexpr std::size_t kSliceBytes = std::size_t{64} << 10;  // cells of a slice stay in the L2 cache

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
  reject(
      rejected, reason, 0, [] { return std::string(); }, RowFate::filtered);
  for (LogBlock::Rejected& known : rejected) {
    if (known.reason.reason == reason) known.reason.is_error = false;
  }
}

/// One entity's ids of a block. Logs come by user or by time: the same ids stand near each other,
/// and those of a few thousand different ones are found without being computed again.
class IdsOfBlock {
 public:
  IdsOfBlock(const IngestOptions& options, Entity entity, TextRoom& kept)
      : map_(options, entity), kept_(kept) {
    if (map_.changes()) known_.resize(kPlaces);
  }
  std::string_view operator()(std::string_view raw) {
    if (!map_.changes()) return raw;
    Known& known = known_[std::hash<std::string_view>{}(raw) % kPlaces];
    if (!known.is_set || known.raw != raw) {
      const std::string_view id = map_(raw);
      known = {raw, id == raw ? raw : kept_.keep(id), true};
    }
    return known.id;
  }

 private:
  static constexpr std::size_t kPlaces = 4096;
  struct Known {
    std::string_view raw, id;
    bool is_set = false;
  };
  IdMap map_;
  TextRoom& kept_;
  std::vector<Known> known_;
};

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

std::optional<graph::Part> part_of(std::string_view cell, const PartWords& words) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto is_listed = [&](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& word) {
      return std::equal(word.begin(), word.end(), cell.begin(), cell.end(),
                        [&](char a, char b) { return lower(a) == lower(b); });
    });
  };
  if (is_listed(words.train)) return graph::Part::train;
  if (is_listed(words.validation)) return graph::Part::validation;
  if (is_listed(words.test)) return graph::Part::test;
  return std::nullopt;
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
  part = add_optional(columns, options.columns.part);
  for (const RowFilter& filter : options.filters)
    filters.emplace_back(filter, add_column(columns, filter.column));
  if (has_item_table(options)) return;
  for (const AttributeColumn& attribute : options.attributes)
    attributes.push_back(add_column(columns, attribute.column));
}

bool LogRoles::time_alone() const {
  if (!time || user == *time || item == *time) return false;
  if (event == time || weight == time || session == time || part == time) return false;
  return std::find(attributes.begin(), attributes.end(), *time) == attributes.end() &&
         std::none_of(filters.begin(), filters.end(),
                      [&](const FilterRule& rule) { return rule.column() == *time; });
}

LogEncoder::LogEncoder(const IngestOptions& options, const LogRoles& roles,
                       const TimeParser& parse_time)
    : options_(options), roles_(roles), missing_(options.missing), parse_time_(parse_time) {}

/// What one row finds, and what it passes on to the next.
struct LogEncoder::Row {
  Row(const TimeParser& parse, const IngestOptions& options, TextRoom& kept)
      : parse_time(parse),
        users(options, Entity::user, kept),
        items(options, Entity::item, kept),
        sessions(options, Entity::session, kept) {}
  const TimeParser& parse_time;
  /// The row's time to last_time and last_unit; false if it is none.
  bool read_time(const TextBatch& batch, std::size_t row, std::size_t column, const TimeZone& zone);
  std::string_view last_text;  ///< logs come in time order: the same second many times
  std::int64_t last_time = 0;
  TimeUnit last_unit = TimeUnit::text;
  bool times_are_ms = false;     ///< the time column holds milliseconds since 1970
  bool times_are_local = false;  ///< and they are of no zone
  std::vector<char> decimals;    ///< decimal sign of each column
  IdsOfBlock users, items, sessions;
};

bool LogEncoder::Row::read_time(const TextBatch& batch, std::size_t row, std::size_t column,
                                const TimeZone& zone) {
  std::optional<std::int64_t> time;
  if (batch.times.empty()) {
    const std::string_view text = batch.columns[column][row];
    if (text == last_text && !text.empty()) return true;
    time = parse_time(text, last_unit);
    last_text = text;
  } else if (batch.times[row] != kNoTimeNumber) {
    time = parse_time.of_number(batch.times[row], last_unit);
  }
  if (time && times_are_local) {
    time = zone.to_utc_ms(*time);
    if (*time < 0) time.reset();
  }
  if (!time) {
    last_text = {};
    return false;
  }
  if (times_are_ms) last_unit = TimeUnit::text;  // typed, so nothing was guessed
  last_time = *time;
  return true;
}

void LogEncoder::encode(const TableReader& reader, bool timestamps, LogBlock& block) const {
  block.ids.clear();
  block.user.clear();
  block.item.clear();
  block.session.clear();
  block.line.clear();
  block.part.clear();
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
  block.time_units = {};
  std::vector<LogBlock::Rejected> malformed;
  const TimeParser milliseconds("ms");
  Row state(timestamps ? milliseconds : parse_time_, options_, block.ids);
  state.times_are_ms = timestamps;
  state.times_are_local = timestamps && !reader.type(*roles_.time).has_zone;
  for (std::size_t column = 0; column < roles_.columns.size(); ++column) {
    const bool is_number = reader.type(column).kind == CellKind::number;
    state.decimals.push_back(is_number ? '.' : options_.decimal);
  }
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
    const bool is_time = state.times_are_ms && rule.column() == roles_.time;
    switch (is_time ? rule.judge_time(text) : rule.judge(text, state.decimals[rule.column()])) {
      case FilterRule::Verdict::keep:
        continue;
      case FilterRule::Verdict::leave_out:
        return filter_out(block.rejected, rule.reason());
      case FilterRule::Verdict::not_comparable:
        return refuse(fmt::format("column '{}' is not {}", rule.filter().column, rule.expected()),
                      [&] {
                        return is_not_a_number(rule.filter().column, text, rule.expected()) +
                               decimal_hint(text, state.decimals[rule.column()]);
                      });
    }
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
    if (!state.read_time(batch, row, *roles_.time, parse_time_.zone())) {
      return refuse("bad time", [&] {
        const std::string text = batch.times.empty() ? std::string(cell(*roles_.time))
                                 : batch.times[row] == kNoTimeNumber
                                     ? std::string()
                                     : std::to_string(batch.times[row]);
        return is_not_a_number(options_.columns.time, text, parse_time_.expectation().c_str()) +
               parse_time_.hint(text);
      });
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
    const char decimal = state.decimals[*roles_.weight];
    const auto value = parse_number(text, decimal);
    if (value) weight *= *value;
    if (!value || !(*value > 0.0) || *value > kLargestWeight || weight < kSmallestWeight) {
      return refuse("bad weight", [&] {
        return is_not_a_number(options_.columns.weight, text,
                               "a number above 0 and up to 1000000000 (data.columns.weight = \"\" "
                               "leaves weights out)") +
               decimal_hint(text, decimal);
      });
    }
  }
  if (roles_.part) {
    const std::string_view text = cell(*roles_.part);
    const std::optional<graph::Part> part = part_of(text, options_.part_words);
    if (!part) {
      const PartWords& words = options_.part_words;
      return refuse("unknown part", [&] {
        return fmt::format("column '{}' is '{}', expected one of: {}, {}, {} (data.parts)",
                           options_.columns.part, text, fmt::join(words.train, ", "),
                           fmt::join(words.validation, ", "), fmt::join(words.test, ", "));
      });
    }
    block.part.push_back(*part);
  }
  block.user.push_back(state.users(user));
  block.item.push_back(state.items(item));
  block.line.push_back(static_cast<std::uint32_t>(batch.line(row)));
  block.rows.weight.push_back(static_cast<float>(weight));
  if (roles_.time) {
    block.rows.time_ms.push_back(state.last_time);
    block.time_units.add(state.last_unit);
  }
  if (roles_.event) block.rows.event.push_back(static_cast<std::int8_t>(event));
  if (roles_.session) {
    const std::string_view session = cell(*roles_.session);
    block.session.push_back(missing_.contains(session) ? std::string_view()
                                                       : state.sessions(session));
  }
  for (std::size_t a = 0; a < roles_.attributes.size(); ++a)
    block.attributes[a].push_back(cell(roles_.attributes[a]));
}

}  // namespace penchant::pipeline
