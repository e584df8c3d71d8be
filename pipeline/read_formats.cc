// SPDX-License-Identifier: Apache-2.0
// Item tables and the field's own text formats.
#include "pipeline/read_formats.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/json_file.h"
#include "pipeline/number_text.h"
#include "pipeline/printable.h"
#include "pipeline/row_filter.h"
#include "pipeline/tables.h"
#include "pipeline/utf8.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::AttributeKind;
using graph::NodeId;

namespace {

std::ifstream open_text(const fs::path& path, const char* what) {
  if (path.empty()) throw InputError(fmt::format("ingest: no {} file given", what));
  if (!fs::exists(path)) throw InputError(fmt::format("{}: no such file", path.string()));
  if (!fs::is_directory(path)) graph::open_regular(path);  // a pipe would wait, a device never end
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path))
    throw InputError(fmt::format("{}: cannot open the file", path.string()));
  if (file.peek() == std::ifstream::traits_type::eof())
    throw InputError(fmt::format("{}: the file is empty", path.string()));
  return file;
}

/// Splits at single separators; a list cell of words is what the formats call a sequence.
template <typename Visit>
void for_each_piece(std::string_view text, std::string_view separator, Visit visit) {
  std::size_t first = 0;
  while (first <= text.size()) {
    const std::size_t last = std::min(text.find(separator, first), text.size());
    if (last > first) visit(text.substr(first, last - first));
    first = last + separator.size();
  }
}

/// Lines of "user item item ...". Positions become times if `timed`.
void read_sequences(const fs::path& path, const char* what, bool timed, RawLog& log,
                    graph::Interactions& rows, RowCounts& counts, Rejections& rejections) {
  std::ifstream file = open_text(path, what);
  std::string line;
  std::int64_t number = 0;
  while (std::getline(file, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    std::int64_t field = 0;
    std::string_view raw_user;
    NodeId user = graph::kNoNode;  // of a broken id: none
    std::int64_t position = 0;
    for_each_piece(line, " ", [&](std::string_view token) {
      if (++field == 1) {
        raw_user = token;
        if (is_valid_utf8(token)) user = log.users.intern(token);
        return;
      }
      ++counts.read;
      const bool good_user = user != graph::kNoNode;
      if (!good_user || !is_valid_utf8(token)) {
        rejections.malformed(kBrokenUtf8, [&] {
          return fmt::format("{}:{}: {}", path.string(), number,
                             explain_broken_utf8(fmt::format("field {}", good_user ? field : 1),
                                                 good_user ? token : raw_user));
        });
        return;
      }
      rows.user.push_back(user);
      rows.item.push_back(log.items.intern(token));
      rows.weight.push_back(1.0F);
      if (timed) rows.time_ms.push_back(position++);
    });
  }
}

/// The values of a cell, without the blanks around them, joined by kListSeparator. Of a path they
/// are its prefixes.
std::string join_values(std::string_view cell, const AttributeColumn& column) {
  std::string joined;
  const auto append = [&](std::string_view value) {
    if (!joined.empty()) joined += kListSeparator;
    joined += value;
  };
  if (!column.path_separator.empty()) {
    std::string path;
    for_each_piece(cell, column.path_separator, [&](std::string_view step) {
      step = trim(step);
      if (step.empty()) return;
      if (!path.empty()) path += column.path_separator;
      path += step;
      append(path);
    });
    return joined;
  }
  const std::string_view separator =
      column.separator.empty() ? std::string_view("|") : std::string_view(column.separator);
  for_each_piece(cell, separator, [&](std::string_view value) {
    value = trim(value);
    if (!value.empty()) append(value);
  });
  return joined;
}

}  // namespace

CellUse add_attribute_cell(RawAttribute& attribute, std::string_view raw_item,
                           std::string_view cell, const std::vector<std::string>& missing) {
  if (is_missing(cell, missing) || attribute.items.find(raw_item) != graph::kNoNode)
    return CellUse::not_needed;
  if (!is_valid_utf8(cell)) return CellUse::broken;
  attribute.items.intern(raw_item);
  attribute.values.push_back(attribute_value(attribute.column, cell));
  return CellUse::taken;
}

std::string bad_cell_reason(const AttributeColumn& column) {
  return fmt::format("attribute '{}' is not valid UTF-8, taken as missing", attribute_name(column));
}

std::string bad_cell_example(const AttributeColumn& column, std::string_view cell) {
  return explain_broken_utf8(fmt::format("column '{}'", column.column), cell);
}

std::string attribute_value(const AttributeColumn& column, std::string_view cell) {
  const bool already_joined = cell.find(kListSeparator) != std::string_view::npos;
  return column.kind == AttributeKind::list && !already_joined ? join_values(cell, column)
                                                               : std::string(cell);
}

bool passes_filters(const std::vector<FilterRule>& filters, const TextBatch& batch, std::size_t row,
                    const std::function<char(std::size_t)>& decimal_of,
                    const std::function<std::string()>& place, Rejections& rejections) {
  for (const FilterRule& rule : filters) {
    const char decimal = decimal_of(rule.column());
    const std::string_view cell = batch.columns[rule.column()][row];
    switch (rule.judge(cell, decimal)) {
      case FilterRule::Verdict::keep:
        continue;
      case FilterRule::Verdict::leave_out:
        rejections.filtered(rule.reason());
        return false;
      case FilterRule::Verdict::not_comparable:
        rejections.malformed(
            fmt::format("column '{}' is not {}", rule.filter().column, rule.expected()), [&] {
              return fmt::format("{}: column '{}' is '{}', expected {}{}", place(),
                                 rule.filter().column, cell, rule.expected(),
                                 decimal_hint(cell, decimal));
            });
        return false;
    }
  }
  return true;
}

void read_item_table(const IngestOptions& options, ReadResult& result, RawCatalog& catalog) {
  Rejections rejections(options.strict);
  Rejections remarks(options.strict);
  std::vector<std::string> columns = {options.item_column.empty() ? options.columns.item
                                                                  : options.item_column};
  for (const AttributeColumn& attribute : options.attributes) {
    columns.push_back(attribute.column);
    catalog.attributes.push_back({attribute, {}, {}, true, options.decimal});
  }
  std::vector<FilterRule> filters;
  for (const RowFilter& filter : options.item_filters) {
    const auto known = std::find(columns.begin(), columns.end(), filter.column);
    filters.emplace_back(filter, static_cast<std::size_t>(known - columns.begin()));
    if (known == columns.end()) columns.push_back(filter.column);
  }
  const TableSource& source = *options.item_table;
  for (const fs::path& path : source.files) {
    TableReader reader(path, source.text, columns);
    const auto decimal_of = [&](std::size_t column) {
      return reader.type(column).kind == CellKind::number ? '.' : options.decimal;
    };
    for (std::size_t a = 0; a < catalog.attributes.size(); ++a)
      catalog.attributes[a].decimal = decimal_of(a + 1);
    TextBatch batch;
    while (reader.next(batch)) {
      for (const MalformedRow& row : batch.malformed) {
        ++result.item_rows.read;
        rejections.malformed("wrong number of fields", [&] {
          return fmt::format("{}:{}: {}", path.string(), row.line, explain(row));
        });
      }
      for (const OpenQuote& quote : batch.open_quotes) {
        remarks.malformed(kOpenQuote, [&] {
          return fmt::format("{}:{}: {}", path.string(), quote.line, explain(quote));
        });
      }
      for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
        ++result.item_rows.read;
        const auto place = [&] { return fmt::format("{}:{}", path.string(), batch.line(row)); };
        if (!passes_filters(filters, batch, row, decimal_of, place, rejections)) continue;
        const std::string_view raw = batch.columns[0][row];
        if (is_missing(raw, options.missing)) {
          rejections.malformed("missing item", [&] {
            return fmt::format("{}: column '{}' is empty", place(), columns[0]);
          });
          continue;
        }
        if (!is_valid_utf8(raw)) {
          rejections.malformed(kBrokenUtf8, [&] {
            return fmt::format("{}: {}", place(),
                               explain_broken_utf8(fmt::format("column '{}'", columns[0]), raw));
          });
          continue;
        }
        const std::int64_t known = catalog.items.size();
        if (catalog.items.intern(raw) < known) {
          rejections.malformed("item listed twice, first row kept",
                               [&] { return fmt::format("{}: item '{}' again", place(), raw); });
          continue;
        }
        ++result.item_rows.kept;
        for (std::size_t a = 0; a < catalog.attributes.size(); ++a) {
          const std::string_view cell = batch.columns[a + 1][row];
          RawAttribute& attribute = catalog.attributes[a];
          bool missing = is_missing(cell, options.missing);
          if (!missing && !is_valid_utf8(cell)) {
            missing = true;
            rejections.malformed(bad_cell_reason(attribute.column), [&] {
              return fmt::format("{}: {}", place(), bad_cell_example(attribute.column, cell));
            });
          }
          attribute.values.push_back(missing ? std::string()
                                             : attribute_value(attribute.column, cell));
        }
      }
    }
    const TextCounts counts = reader.counts();
    result.text_counts.emplace(path.string(), counts);
    result.item_rows.read += counts.repeated_headers;
    rejections.filtered("repeated header", counts.repeated_headers);
    add_note(path.string(), reader.note(), result.item_rows);
  }
  result.item_rows.rejected = rejections.take();
  result.item_rows.remarks = remarks.take();
}

void read_lightgcn(const IngestOptions& options, ReadResult& result, Rejections& rejections) {
  read_sequences(options.train_file, "training (data.train, or --train)", false, result.log,
                 result.log.rows, result.rows, rejections);
  if (!options.test_file.empty()) {
    read_sequences(options.test_file, "test", false, result.log, result.test, result.rows,
                   rejections);
    sort_log(result.test, result.log.users.size());
  }
  result.default_split = default_split(options);
}

void read_s3rec(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
                Rejections& rejections) {
  read_sequences(options.sequences_file, "sequence (data.sequences, or --sequences)", true,
                 result.log, result.log.rows, result.rows, rejections);
  result.default_split = default_split(options);
  if (options.attributes_file.empty()) return;
  const nlohmann::json attributes =
      read_json_file(options.attributes_file, std::numeric_limits<std::uint64_t>::max());
  const auto refuse = [&](const std::string& found) {
    throw InputError(fmt::format(
        "{}: {}, expected a JSON object of item -> [attribute, ...] with strings or numbers",
        options.attributes_file.string(), found));
  };
  if (!attributes.is_object()) refuse(fmt::format("holds {}", attributes.type_name()));
  RawAttribute list{{"attributes", "attributes", AttributeKind::list, "|", ""}, {}, {}, false};
  for (const auto& [item, values] : attributes.items()) {
    if (!values.is_array())
      refuse(fmt::format("item '{}' has {}", printable(item), values.type_name()));
    std::string joined;
    for (const nlohmann::json& value : values) {
      if (!value.is_string() && !value.is_number())
        refuse(fmt::format("item '{}' has an attribute that is {}", printable(item),
                           value.type_name()));
      if (!joined.empty()) joined += kListSeparator;
      joined += value.is_string() ? value.get<std::string>() : value.dump();
    }
    catalog.items.intern(item);
    add_attribute_cell(list, item, joined, {});
    ++result.item_rows.read;
    ++result.item_rows.kept;
  }
  catalog.attributes.push_back(std::move(list));
}

graph::SplitMethod default_split(const IngestOptions& options) {
  using graph::SplitMethod;
  if (options.format == InputFormat::lightgcn)
    return options.test_file.empty() ? SplitMethod::random_per_user : SplitMethod::given;
  if (options.format == InputFormat::s3rec || options.time_format == kOrderOfRows)
    return SplitMethod::leave_one_out;
  return options.columns.time.empty() ? SplitMethod::random_per_user : SplitMethod::global_time;
}

namespace {

/// The fields of an atomic file: NAME:TYPE each.
class AtomicHeader {
 public:
  AtomicHeader(const fs::path& path, const TableReadOptions& text)
      : path_(path), columns_(table_columns(path, text)) {}

  const std::vector<std::string>& columns() const { return columns_; }
  static std::string name_of(std::string_view column) {
    return std::string(column.substr(0, column.find(':')));
  }
  static std::string_view type_of(std::string_view column) {
    const std::size_t colon = column.find(':');
    return colon == std::string_view::npos ? std::string_view() : column.substr(colon + 1);
  }
  /// The field of this name, with its type or without; empty: there is none.
  std::string find(std::string_view name) const {
    for (const std::string& column : columns_) {
      if (column == name) return column;
    }
    for (const std::string& column : columns_) {
      if (name_of(column) == name) return column;
    }
    return {};
  }
  /// The same for a name that `key` gives. Throws InputError if there is none.
  std::string require(std::string_view name, std::string_view key) const {
    std::string column = find(name);
    if (column.empty())
      throw InputError(fmt::format("{}:1: the header has no field '{}' ({}); the fields are: {}",
                                   path_.string(), name, key, fmt::join(columns_, ", ")));
    return column;
  }
  void require_types() const {
    for (const std::string& column : columns_) {
      if (column.find(':') != std::string::npos) continue;
      throw InputError(fmt::format(
          "{}:1: header field '{}' has no type, expected NAME:TYPE as in 'user_id:token'",
          path_.string(), column));
    }
  }

 private:
  fs::path path_;
  std::vector<std::string> columns_;
};

/// The log's roles: what the user says goes before what the header's names say.
LogColumns recbole_columns(const IngestOptions& options, const fs::path& log,
                           const AtomicHeader& header) {
  LogColumns columns;
  const auto fill = [&](const char* role, const std::string& chosen, const char* usual,
                        std::string& column) {
    if (!chosen.empty())
      column = header.require(chosen, fmt::format("data.columns.{}", role));
    else if (!options.columns_given.contains(role))
      column = header.find(usual);
  };
  fill("user", options.columns.user, "user_id", columns.user);
  fill("item", options.columns.item, "item_id", columns.item);
  fill("time", options.columns.time, "timestamp", columns.time);
  fill("event", options.columns.event, "", columns.event);
  fill("weight", options.columns.weight, "rating", columns.weight);
  fill("session", options.columns.session, "session_id", columns.session);
  if (options.time_format == kOrderOfRows && options.columns.time.empty()) columns.time.clear();
  // Sessions that stand for users are no baskets of them.
  if (columns.session == columns.user && options.columns.session.empty()) columns.session.clear();
  for (const auto& [role, column] : {std::pair("user", &columns.user), {"item", &columns.item}}) {
    if (!column->empty()) continue;
    throw InputError(fmt::format(
        "{}:1: the header has no {}_id field; data.columns.{} (--{}-column) names another of: {}",
        log.string(), role, role, role, fmt::join(header.columns(), ", ")));
  }
  return columns;
}

/// Kind and separator by a field's type, its name without the type.
AttributeColumn recbole_attribute(const std::string& column) {
  const std::string name = AtomicHeader::name_of(column);
  const std::string_view type = AtomicHeader::type_of(column);
  const bool is_title = name == "title" || name == "name" || name == "movie_title";
  AttributeColumn attribute;
  attribute.column = column;
  // A role that is a column of every item keeps its type: "count:float".
  attribute.name = is_entity_column(name) ? column : name;
  attribute.kind = is_title          ? AttributeKind::text
                   : type == "float" ? AttributeKind::numeric
                   : type == "token" ? AttributeKind::categorical
                                     : AttributeKind::list;
  attribute.separator = std::string(1, ' ');
  return attribute;
}

bool is_vector(std::string_view column) { return AtomicHeader::type_of(column) == "float_seq"; }

/// The attributes of `header`: those that the user lists, or all but vectors.
std::vector<AttributeColumn> recbole_attributes(const IngestOptions& options,
                                                const AtomicHeader& header, const std::string& key,
                                                Progress& progress) {
  std::vector<AttributeColumn> attributes;
  for (const AttributeColumn& given : options.attributes) {
    const std::string column = header.require(given.column, "data.attributes");
    AttributeColumn attribute = given;
    const AttributeColumn by_type = recbole_attribute(column);
    attribute.column = column;
    if (attribute.name.empty()) attribute.name = by_type.name;
    if (!given.kind_given && given.path_separator.empty()) {
      if (is_vector(column))
        throw InputError(fmt::format(
            "data.attributes: column '{}' holds vectors, which are no attribute; `kind` says what "
            "to take its values for",
            column));
      attribute.kind = by_type.kind;
    }
    if (given.separator == AttributeColumn().separator) attribute.separator = by_type.separator;
    attributes.push_back(std::move(attribute));
  }
  if (!attributes.empty()) return attributes;
  for (const std::string& column : header.columns()) {
    if (column == key) continue;
    if (is_vector(column))
      progress.note(fmt::format("column '{}' is left out: it holds vectors", column));
    else
      attributes.push_back(recbole_attribute(column));
  }
  return attributes;
}

}  // namespace

IngestOptions recbole_as_table(const IngestOptions& options, Progress& progress) {
  if (options.prefix.empty())
    throw InputError(
        "ingest: no prefix given (data.prefix, or --prefix): PREFIX.inter is read, and PREFIX.item "
        "if there");
  IngestOptions table = options;
  table.format = InputFormat::table;
  const fs::path log = options.prefix.string() + ".inter";
  const TableReadOptions tab{'\t', true, '\0', '\0', options.log.text.encoding};
  const AtomicHeader header(log, tab);
  header.require_types();
  table.log = {{log}, tab};
  table.columns = recbole_columns(options, log, header);
  for (RowFilter& filter : table.filters)
    filter.column = header.require(filter.column, "data.filters");
  if (has_item_table(options)) return table;  // the user's own, with its own roles
  const fs::path items = options.prefix.string() + ".item";
  if (!fs::exists(items)) {
    for (AttributeColumn& attribute : table.attributes) {  // read from the log
      attribute.column = header.require(attribute.column, "data.attributes");
      if (attribute.name.empty()) attribute.name = recbole_attribute(attribute.column).name;
    }
    return table;
  }
  const AtomicHeader item_header(items, tab);
  item_header.require_types();
  table.item_table = TableSource{{items}, tab};
  if (options.item_table && options.item_table->text.separator != TableReadOptions().separator)
    table.item_table->text.separator = options.item_table->text.separator;
  table.item_column = options.item_column.empty()
                          ? item_header.find("item_id")
                          : item_header.require(options.item_column, "data.items.key");
  if (table.item_column.empty())
    throw InputError(
        fmt::format("{}:1: the header has no item_id field; data.items.key names another of: {}",
                    items.string(), fmt::join(item_header.columns(), ", ")));
  table.attributes = recbole_attributes(options, item_header, table.item_column, progress);
  return table;
}

}  // namespace penchant::pipeline
