// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/column_roles.h"

#include <span>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::AttributeKind;

namespace {

enum class Role { single, time, number, list };

/// A column that is read, and what for.
struct Use {
  std::string column;
  Role role;
  std::string what;  ///< "the user (data.columns.user)"
};

bool fits(CellKind kind, Role role) {
  const bool single = kind == CellKind::text || kind == CellKind::number ||
                      kind == CellKind::boolean || kind == CellKind::time ||
                      kind == CellKind::clock;
  switch (role) {
    case Role::single:
      return single;
    case Role::list:
      return single || kind == CellKind::list;
    case Role::time:
      return kind == CellKind::time || kind == CellKind::number || kind == CellKind::text;
    case Role::number:
      return kind == CellKind::number || kind == CellKind::text;
  }
  return false;
}

const char* expected(Role role) {
  switch (role) {
    case Role::single:
      return "one value a row";
    case Role::list:
      return "a list of single values";
    case Role::time:
      return "times, numbers or text";
    case Role::number:
      return "numbers";
  }
  return "";
}

std::string hint(CellKind kind, const Use& use) {
  if (kind == CellKind::list && use.what.starts_with("the attribute"))
    return "; kind = \"list\" in its [[data.attributes]] takes lists";
  if (kind == CellKind::vector && use.what.starts_with("the attribute"))
    return "; vectors cannot be attributes, leave the column out";
  return {};
}

void check(const fs::path& path, const ColumnType& type, const Use& use) {
  if (fits(type.kind, use.role)) return;
  throw InputError(fmt::format("{}: column '{}' holds {}, expected {} for {}{}", path.string(),
                               use.column, type.name, expected(use.role), use.what,
                               hint(type.kind, use)));
}

Role role_of(AttributeKind kind) {
  return kind == AttributeKind::list      ? Role::list
         : kind == AttributeKind::numeric ? Role::number
                                          : Role::single;
}

void settle(std::span<const fs::path> files, const TableReadOptions& text, std::vector<Use> uses,
            std::vector<AttributeColumn>& attributes, Progress& progress) {
  std::vector<std::string> columns;
  std::erase_if(uses, [](const Use& use) { return use.column.empty(); });
  for (const Use& use : uses) columns.push_back(use.column);
  for (const AttributeColumn& attribute : attributes) columns.push_back(attribute.column);
  for (const fs::path& path : files) {
    if (files.size() > 1 && holds_nothing(path, text)) continue;  // an empty part among full ones
    const std::vector<ColumnType> types = parquet_column_types(path, columns, text);
    if (types.empty()) continue;  // text
    for (std::size_t i = 0; i < uses.size(); ++i) check(path, types[i], uses[i]);
    for (std::size_t a = 0; a < attributes.size(); ++a) {
      AttributeColumn& attribute = attributes[a];
      const ColumnType& type = types[uses.size() + a];
      if (!attribute.kind_given && type.kind == CellKind::list &&
          attribute.kind == AttributeKind::categorical) {
        attribute.kind = AttributeKind::list;
        progress.warn(fmt::format(
            "{}: column '{}' holds {}: attribute '{}' is of kind list; kind = \"list\" in its "
            "[[data.attributes]] says so",
            path.string(), attribute.column, type.name, attribute_name(attribute)));
      }
      check(path, type,
            {attribute.column, role_of(attribute.kind),
             fmt::format("the attribute '{}' of kind {}", attribute_name(attribute),
                         enum_name(attribute.kind))});
    }
  }
}

void add_filters(std::vector<Use>& uses, const std::vector<RowFilter>& filters, const char* key) {
  for (const RowFilter& filter : filters)
    uses.push_back({filter.column, Role::single, fmt::format("a filter ({})", key)});
}

}  // namespace

void settle_column_types(IngestOptions& options, Progress& progress) {
  if (options.format != InputFormat::table) return;
  const LogColumns& log = options.columns;
  std::vector<Use> uses = {{log.user, Role::single, "the user (data.columns.user)"},
                           {log.item, Role::single, "the item (data.columns.item)"},
                           {log.time, Role::time, "the time (data.columns.time)"},
                           {log.event, Role::single, "the event type (data.columns.event)"},
                           {log.weight, Role::number, "the weight (data.columns.weight)"},
                           {log.session, Role::single, "the session (data.columns.session)"},
                           {log.part, Role::single, "the part (data.columns.part)"}};
  add_filters(uses, options.filters, "data.filters");
  std::vector<AttributeColumn> none;
  settle(options.log.files, options.log.text, uses,
         has_item_table(options) ? none : options.attributes, progress);
  settle(options.validation_files, options.log.text, uses, none, progress);
  settle(options.test_files, options.log.text, uses, none, progress);
  if (!has_item_table(options)) return;
  std::vector<Use> of_items = {{options.item_column.empty() ? log.item : options.item_column,
                                Role::single, "the item (data.items.key)"}};
  of_items.push_back({options.item_time, Role::time, "the time (data.items.time)"});
  of_items.push_back({options.item_property, Role::single, "the property (data.items.property)"});
  of_items.push_back({options.item_value, Role::single, "the value (data.items.value)"});
  add_filters(of_items, options.item_filters, "data.items.filters");
  const bool is_long = !options.item_property.empty();  // attributes are no columns of their own
  settle(options.item_table->files, options.item_table->text, of_items,
         is_long ? none : options.attributes, progress);
}

}  // namespace penchant::pipeline
