// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/recbole.h"

#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::AttributeKind;

namespace {

/// The fields of an atomic file: NAME:TYPE each.
class AtomicHeader {
 public:
  AtomicHeader(const fs::path& path, const TableReadOptions& text)
      : path_(path), columns_(table_columns(path, text)), withhold_(text.withhold_names) {}

  const std::vector<std::string>& columns() const { return columns_; }
  /// For messages: a first line that is no header holds ids.
  std::string names() const {
    return withhold_ ? "not shown (data.pseudonymise)"
                     : fmt::format("{}", fmt::join(columns_, ", "));
  }
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
                                   path_.string(), name, key, names()));
    return column;
  }
  void require_types() const {
    for (const std::string& column : columns_) {
      if (!is_valid_utf8(column)) {
        throw InputError(fmt::format("{}:1: header field '{}' is not UTF-8", path_.string(),
                                     replace_broken_utf8(column)));
      }
      if (column.find(':') != std::string::npos) continue;
      throw InputError(fmt::format(
          "{}:1: header field '{}' has no type, expected NAME:TYPE as in 'user_id:token'",
          path_.string(), withhold_ ? "(not shown)" : column));
    }
  }

 private:
  fs::path path_;
  std::vector<std::string> columns_;
  bool withhold_;
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
        log.string(), role, role, role, header.names()));
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
  TableReadOptions tab{'\t', true, '\0', '\0', options.log.text.encoding};
  tab.withhold_names = !options.privacy.pseudonymise.empty();
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
                    items.string(), item_header.names()));
  table.attributes = recbole_attributes(options, item_header, table.item_column, progress);
  return table;
}

}  // namespace penchant::pipeline
