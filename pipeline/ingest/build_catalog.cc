// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/build_catalog.h"

#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

std::int64_t count_items_without_row(const graph::Dictionary& log, const graph::Dictionary& table,
                                     const IngestOptions& options, Progress& progress) {
  constexpr std::int64_t kOneOf = 5;
  const auto first_not_in = [](const graph::Dictionary& ids, const graph::Dictionary& others,
                               std::int64_t& count) {
    std::string_view first;
    for (std::int64_t id = 0; id < ids.size(); ++id) {
      const std::string_view raw = ids.raw(static_cast<NodeId>(id));
      if (others.find(raw) == graph::kNoNode && count++ == 0) first = raw;
    }
    return first;
  };
  std::int64_t count = 0;
  const std::string_view of_log = first_not_in(log, table, count);
  if (kOneOf * count <= log.size()) return count;
  std::int64_t unused = 0;  // rows of the table for items that are not in the log
  std::string_view of_table = first_not_in(table, log, unused);
  if (unused == 0 && table.size() > 0) of_table = table.raw(0);
  const std::string& key = options.item_column.empty() ? options.columns.item : options.item_column;
  progress.warn(
      fmt::format("{} of the log's {} items have no row in the item table: '{}' of the log's "
                  "column '{}' is not in the table's column '{}', which {}",
                  count, log.size(), of_log, options.columns.item, key,
                  table.size() == 0 ? "is empty" : fmt::format("has '{}'", of_table)));
  return count;
}

graph::Catalog build_catalog(const RawCatalog& raw, const graph::Dictionary& items,
                             RowCounts& counts, const IngestOptions& options) {
  Rejections rejections(options);
  graph::Catalog catalog;
  catalog.num_items = items.size();
  std::vector<NodeId> rows(static_cast<std::size_t>(items.size()), graph::kNoNode);  // of the table
  for (std::size_t item = 0; item < rows.size() && raw.items.size() > 0; ++item)
    rows[item] = raw.items.find(items.raw(static_cast<NodeId>(item)));
  for (const RawAttribute& source : raw.attributes) {
    Attribute attribute;
    attribute.name = attribute_name(source.column);
    attribute.kind = source.column.kind;
    attribute.is_path = !source.column.path_separator.empty();
    for (std::int64_t item = 0; item < items.size(); ++item) {
      const NodeId place = source.by_table_row
                               ? rows[static_cast<std::size_t>(item)]
                               : source.items.find(items.raw(static_cast<NodeId>(item)));
      const std::string_view cell =
          place == graph::kNoNode
              ? std::string_view()
              : std::string_view(source.values[static_cast<std::size_t>(place)]);
      if (attribute.kind == AttributeKind::text) {
        attribute.texts.emplace_back(cell);
      } else if (attribute.kind == AttributeKind::numeric) {
        const auto value = parse_number(cell, source.decimal);
        const bool fits = value && std::abs(*value) <= std::numeric_limits<float>::max();
        const float number =
            fits ? static_cast<float>(*value) : std::numeric_limits<float>::quiet_NaN();
        if (!cell.empty() && !fits) {
          rejections.malformed(
              fmt::format("attribute '{}' is not a number, taken as missing", attribute.name),
              [&] {
                return fmt::format("item '{}': column '{}' is '{}', expected a number{}",
                                   items.raw(static_cast<NodeId>(item)), source.column.column, cell,
                                   decimal_hint(cell, source.decimal));
              },
              RowFate::cell);
        }
        attribute.numbers.push_back(number);
      } else {
        append_values(attribute, cell);
      }
    }
    finish_attribute(attribute, items.size());
    catalog.attributes.push_back(std::move(attribute));
  }
  for (auto& reason : rejections.take()) counts.rejected.push_back(std::move(reason));
  return catalog;
}

}  // namespace penchant::pipeline
