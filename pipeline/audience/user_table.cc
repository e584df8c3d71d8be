// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/user_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/ids.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

using graph::at;
using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

namespace {

/// Cells of one column by user, each distinct text once.
struct CellsOfUsers {
  graph::Dictionary values;
  std::vector<NodeId> of_users;  ///< [U], kNoNode: missing
};

bool reads_as_number(std::string_view text, float& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

Attribute attribute_of(const std::string& name, CellsOfUsers cells) {
  Attribute attribute;
  attribute.name = name;
  std::vector<float> numbers;
  bool all_numbers = cells.values.size() > 0;
  for (std::int64_t value = 0; value < cells.values.size() && all_numbers; ++value)
    all_numbers =
        reads_as_number(cells.values.raw(static_cast<NodeId>(value)), numbers.emplace_back(0.0F));
  if (all_numbers) {
    attribute.kind = AttributeKind::numeric;
    for (const NodeId value : cells.of_users)
      attribute.numbers.push_back(value == graph::kNoNode ? std::numeric_limits<float>::quiet_NaN()
                                                          : numbers[at(value)]);
    return attribute;
  }
  attribute.kind = AttributeKind::categorical;
  graph::Csr& of_users = attribute.item_values;
  of_users.num_rows = static_cast<std::int64_t>(cells.of_users.size());
  of_users.num_cols = cells.values.size();
  for (const NodeId value : cells.of_users) {
    if (value != graph::kNoNode) of_users.columns.push_back(value);
    of_users.offsets.push_back(static_cast<graph::EdgeOffset>(of_users.columns.size()));
  }
  attribute.values = std::move(cells.values);
  return attribute;
}

}  // namespace

UserTable read_user_table(const std::filesystem::path& path, const std::string& key,
                          const graph::Dictionary& users, std::shared_ptr<const Frames> frames,
                          const PseudonymKey* pseudonyms) {
  TableReadOptions options;
  options.frames = std::move(frames);
  std::vector<std::string> names = table_columns(path, options);
  const auto place = std::find(names.begin(), names.end(), key);
  if (place == names.end()) {
    throw InputError(
        fmt::format("{}: no column '{}', expected --user-key to name that of the user "
                    "ids; it has: {}",
                    path.string(), printable(key), printable_list(names)));
  }
  std::rotate(names.begin(), place, place + 1);  // the key comes first
  TableReader reader(path, options, names);
  const std::size_t num_users = at(users.size());
  UserTable table;
  table.is_in.assign(num_users, 0);
  std::vector<CellsOfUsers> columns(names.size() - 1);
  for (CellsOfUsers& column : columns) column.of_users.assign(num_users, graph::kNoNode);
  TextBatch batch;
  while (reader.next(batch)) {
    if (!batch.malformed.empty()) {
      throw InputError(fmt::format("{}:{}: {}", path.string(), batch.malformed.front().line,
                                   explain(batch.malformed.front())));
    }
    for (std::size_t row = 0; std::cmp_less(row, batch.num_rows); ++row) {
      ++table.num_rows;
      const std::string id = known_id(users, batch.columns[0][row], "user", pseudonyms);
      const NodeId user = users.find(id);
      if (user == graph::kNoNode) {
        ++table.num_unknown;
        continue;
      }
      if (std::exchange(table.is_in[at(user)], std::uint8_t{1}) != 0) {
        throw InputError(fmt::format("{}:{}: user '{}' has a row before this one", path.string(),
                                     batch.line(row), printable(id)));
      }
      for (std::size_t column = 0; column < columns.size(); ++column) {
        const std::string_view cell = batch.columns[column + 1][row];
        if (!cell.empty()) columns[column].of_users[at(user)] = columns[column].values.intern(cell);
      }
    }
  }
  table.attributes.num_items = users.size();
  for (std::size_t column = 0; column < columns.size(); ++column)
    table.attributes.attributes.push_back(
        attribute_of(names[column + 1], std::move(columns[column])));
  return table;
}

}  // namespace penchant::pipeline
