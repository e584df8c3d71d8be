// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/attribute_cells.h"

#include <algorithm>

#include <fmt/core.h>

#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/number_text.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

using graph::AttributeKind;

namespace {

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

bool is_missing(std::string_view cell, const std::vector<std::string>& spellings) {
  if (cell.empty()) return true;
  return std::find(spellings.begin(), spellings.end(), cell) != spellings.end();
}

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

}  // namespace penchant::pipeline
