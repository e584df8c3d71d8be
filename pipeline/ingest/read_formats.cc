// SPDX-License-Identifier: Apache-2.0
// Item tables and the field's own text formats.
#include "pipeline/ingest/read_formats.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/tables/number_text.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::AttributeKind;
using graph::NodeId;

namespace {

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

/// What the file seems to put between ids instead of spaces, or null: tabs anywhere, or commas and
/// semicolons where there is no space or where they end a field or stand between numbers.
const char* other_separator(std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return "tabs";
  const bool spaces = line.find(' ') != std::string_view::npos;
  for (const auto& [mark, name] : {std::pair(',', "commas"), std::pair(';', "semicolons")}) {
    for (std::size_t at = line.find(mark); at != std::string_view::npos;
         at = line.find(mark, at + 1)) {
      const auto is = [&](std::size_t place, auto what) {
        return place < line.size() && what(static_cast<unsigned char>(line[place]));
      };
      const auto is_digit = [](unsigned char c) { return c >= '0' && c <= '9'; };
      const bool ends_field = at + 1 == line.size() || line[at + 1] == ' ';
      const bool in_numbers = at > 0 && is(at - 1, is_digit) && is(at + 1, is_digit);
      if (!spaces || ends_field || in_numbers) return name;
    }
  }
  return nullptr;
}

/// Reads lines of "user item item ..." file by file. Each item is a row of the log; a line that
/// cannot be taken apart is one row.
class SequenceReader {
 public:
  /// Positions in a line become times if `timed`.
  SequenceReader(const IngestOptions& options, bool timed, ReadResult& result)
      : timed_(timed), result_(result), rejections_(options.strict) {}

  void read(const fs::path& path, InputRole role) {
    FileAccount account;
    account.path = path;
    account.role = role;
    account.first_row = result_.log.rows.user.size();
    LineCounts counts;
    TextLines lines(path);
    for (std::string_view line; lines.next(line);) {
      ++counts.lines;
      const std::int64_t read_before = account.rows.read;
      if (line.find_first_not_of(' ') == std::string_view::npos) {
        ++counts.blank;
        continue;
      }
      const auto place = [&] { return fmt::format("{}:{}", path.string(), counts.lines); };
      if (const char* found = other_separator(line)) {
        ++account.rows.read;
        rejections_.malformed("wrong separator", [&] {
          return fmt::format("{}: the line holds {}, expected 'user item item ...' with spaces",
                             place(), found);
        });
      } else {
        add_line(line, account.rows, place);
      }
      ++(account.rows.read > read_before ? counts.rows : counts.without_items);
    }
    account.lines = counts;
    account.rows.rejected = rejections_.take();
    result_.files.push_back(std::move(account));
  }

 private:
  template <typename Place>
  void add_line(std::string_view line, RowCounts& counts, const Place& place) {
    RawLog& log = result_.log;
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
        rejections_.malformed(kBrokenUtf8, [&] {
          return fmt::format("{}: {}", place(),
                             explain_broken_utf8(fmt::format("field {}", good_user ? field : 1),
                                                 good_user ? token : raw_user));
        });
        return;
      }
      log.rows.user.push_back(user);
      log.rows.item.push_back(log.items.intern(token));
      log.rows.weight.push_back(1.0F);
      if (timed_) log.rows.time_ms.push_back(position++);
    });
  }

  bool timed_;
  ReadResult& result_;
  Rejections rejections_;  ///< of the file
};

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

namespace {

/// Adds the rows of one file of the item table to the catalogue. Column 0 is the item's.
void read_item_file(const fs::path& path, const std::vector<std::string>& columns,
                    const std::vector<FilterRule>& filters, const IngestOptions& options,
                    RawCatalog& catalog, FileAccount& account) {
  Rejections rejections(options.strict);
  Rejections remarks(options.strict);
  TableReader reader(path, options.item_table->text, columns);
  const auto decimal_of = [&](std::size_t column) {
    return reader.type(column).kind == CellKind::number ? '.' : options.decimal;
  };
  for (std::size_t a = 0; a < catalog.attributes.size(); ++a)
    catalog.attributes[a].decimal = decimal_of(a + 1);
  TextBatch batch;
  while (reader.next(batch)) {
    for (const MalformedRow& row : batch.malformed) {
      ++account.rows.read;
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
      ++account.rows.read;
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
      ++account.rows.kept;
      for (std::size_t a = 0; a < catalog.attributes.size(); ++a) {
        const std::string_view cell = batch.columns[a + 1][row];
        RawAttribute& attribute = catalog.attributes[a];
        bool missing = is_missing(cell, options.missing);
        if (!missing && !is_valid_utf8(cell)) {
          missing = true;
          rejections.malformed(
              bad_cell_reason(attribute.column),
              [&] {
                return fmt::format("{}: {}", place(), bad_cell_example(attribute.column, cell));
              },
              RowFate::cell);
        }
        attribute.values.push_back(missing ? std::string()
                                           : attribute_value(attribute.column, cell));
      }
    }
  }
  add_counts(reader, rejections, account);
  account.rows.rejected = rejections.take();
  account.rows.remarks = remarks.take();
}

}  // namespace

void read_item_table(const IngestOptions& options, ReadResult& result, RawCatalog& catalog) {
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
  const std::vector<fs::path>& files = options.item_table->files;
  for (const fs::path& path : files) {
    FileAccount& account = result.item_files.emplace_back();
    account.path = path;
    account.role = InputRole::items;
    if (files.size() > 1 && holds_nothing(path)) {
      account.lines.emplace();
    } else {
      read_item_file(path, columns, filters, options, catalog, account);
    }
  }
}

void read_lightgcn(const IngestOptions& options, ReadResult& result) {
  if (options.train_files.empty())
    throw InputError("ingest: no training (data.train, or --train) file given");
  SequenceReader reader(options, false, result);
  for (const fs::path& path : options.train_files) reader.read(path, InputRole::log);
  for (const fs::path& path : options.validation_files) reader.read(path, InputRole::validation);
  for (const fs::path& path : options.test_files) reader.read(path, InputRole::test);
  result.default_split = default_split(options);
}

void read_s3rec(const IngestOptions& options, ReadResult& result, RawCatalog& catalog) {
  if (options.sequences_file.empty())
    throw InputError("ingest: no sequence (data.sequences, or --sequences) file given");
  SequenceReader(options, true, result).read(options.sequences_file, InputRole::log);
  result.default_split = default_split(options);
  if (options.attributes_file.empty()) return;
  FileAccount& account = result.item_files.emplace_back();
  account.path = options.attributes_file;
  account.role = InputRole::attributes;
  std::string text;
  TextLines lines(options.attributes_file);
  for (std::string_view line; lines.next(line); text += '\n') text += line;
  const auto refuse = [&](const std::string& found) {
    throw InputError(fmt::format(
        "{}: {}, expected a JSON object of item -> [attribute, ...] with strings or numbers",
        options.attributes_file.string(), found));
  };
  nlohmann::json attributes;
  try {
    attributes = parse_json(text, options.attributes_file);
  } catch (const InputError& error) {
    throw InputError(
        fmt::format("{}; expected a JSON object of item -> [attribute, ...]", error.what()));
  }
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
    ++account.rows.read;
    ++account.rows.kept;
  }
  catalog.attributes.push_back(std::move(list));
}

graph::SplitMethod default_split(const IngestOptions& options) {
  using graph::SplitMethod;
  if (has_given_parts(options)) return SplitMethod::given;
  if (options.format == InputFormat::lightgcn) return SplitMethod::random_per_user;
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
  fill("part", options.columns.part, "", columns.part);
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

/// Names the files of the parts: PREFIX.inter, or one for each of data.benchmark.
void use_benchmark(const IngestOptions& options, IngestOptions& table) {
  const auto inter = [&](const std::string& part) {
    return fs::path(options.prefix.string() + (part.empty() ? "" : ".") + part + ".inter");
  };
  const std::vector<std::string>& names = options.benchmark;
  if (names.empty()) {
    table.log.files = {inter("")};
    if (!fs::exists(inter("")) && fs::exists(inter("train"))) {
      throw InputError(
          fmt::format("{}: no such file, but there is {}: --benchmark train,valid,test "
                      "(data.benchmark) reads a split that was made before",
                      inter("").string(), inter("train").string()));
    }
    return;
  }
  if (names.size() != 2 && names.size() != 3) {
    throw InputError(fmt::format(
        "data.benchmark has {} names, expected those of train and test, or of train, validation "
        "and test, as in [\"train\", \"valid\", \"test\"]",
        names.size()));
  }
  table.log.files = {inter(names.front())};
  table.validation_files.clear();
  if (names.size() == 3) table.validation_files = {inter(names[1])};
  table.test_files = {inter(names.back())};
}

}  // namespace

IngestOptions recbole_as_table(const IngestOptions& options, Progress& progress) {
  if (options.prefix.empty())
    throw InputError(
        "ingest: no prefix given (data.prefix, or --prefix): PREFIX.inter is read, and PREFIX.item "
        "if there");
  IngestOptions table = options;
  table.format = InputFormat::table;
  const TableReadOptions tab{'\t', true, '\0', '\0', options.log.text.encoding};
  table.log = {{}, tab};
  use_benchmark(options, table);
  const fs::path log = table.log.files.front();
  const AtomicHeader header(log, tab);
  header.require_types();
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
