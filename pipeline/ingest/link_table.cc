// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/link_table.h"

#include <functional>
#include <set>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/ingest/item_table.h"
#include "pipeline/tables/number_text.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// As of events: sums of weights stay far from the ends of a float.
constexpr double kLightestLink = 1e-9;
constexpr double kHeaviestLink = 1e9;

/// Reads the rows of one table of links.
class LinkReader {
 public:
  LinkReader(const IngestOptions& options, const LinkTable& table, const graph::Dictionary& users)
      : options_(options),
        table_(table),
        users_(users),
        ids_(options, Entity::user),
        columns_{table.from, table.to} {
    if (!table.weight.empty()) columns_.push_back(table.weight);
  }

  void read(const std::filesystem::path& path, FileAccount& account) {
    TableReader reader(path, table_.source.text, columns_);
    const bool typed = columns_.size() > 2 && reader.type(2).kind == CellKind::number;
    decimal_ = typed ? '.' : options_.decimal;
    read_rows(
        path, reader, options_, account,
        [this](const TextBatch& batch, std::size_t row, const std::function<std::string()>& place,
               Rejections& rejections) { return take(batch, row, place, rejections); });
  }

  graph::UserLinks links() const {
    return {table_.name, table_.directed,
            graph::csr_from_entries(users_.size(), users_.size(), entries_,
                                    graph::Duplicates::maximum)};
  }

 private:
  /// The user of a cell, or none, which is counted.
  std::optional<NodeId> user_of(std::string_view raw, std::size_t column,
                                const std::function<std::string()>& place, Rejections& rejections) {
    if (is_missing(raw, options_.missing)) {
      rejections.malformed("missing user", [&] {
        return fmt::format("{}: column '{}' is empty", place(), columns_[column]);
      });
      return std::nullopt;
    }
    if (!is_valid_utf8(raw)) {
      rejections.malformed(kBrokenUtf8, [&] {
        return fmt::format("{}: {}", place(),
                           explain_broken_utf8(fmt::format("column '{}'", columns_[column]), raw));
      });
      return std::nullopt;
    }
    const NodeId user = users_.find(ids_(raw));
    if (user != graph::kNoNode) return user;
    rejections.filtered("link of a user who is not in the log");
    return std::nullopt;
  }

  std::optional<float> weight_of(const TextBatch& batch, std::size_t row,
                                 const std::function<std::string()>& place,
                                 Rejections& rejections) const {
    if (table_.weight.empty()) return 1.0F;
    const std::string_view cell = batch.columns[2][row];
    const std::optional<double> value = parse_number(cell, decimal_);
    if (value && *value >= kLightestLink && *value <= kHeaviestLink)
      return static_cast<float>(*value);
    rejections.malformed("bad weight", [&] {
      return fmt::format("{}: column '{}' is '{}', expected a number from {:g} to {:g}{}", place(),
                         table_.weight, cell, kLightestLink, kHeaviestLink,
                         decimal_hint(cell, decimal_));
    });
    return std::nullopt;
  }

  bool take(const TextBatch& batch, std::size_t row, const std::function<std::string()>& place,
            Rejections& rejections) {
    const std::optional<NodeId> from = user_of(batch.columns[0][row], 0, place, rejections);
    if (!from) return false;
    const std::optional<NodeId> to = user_of(batch.columns[1][row], 1, place, rejections);
    if (!to) return false;
    if (*from == *to) {
      rejections.filtered("link of a user to itself");
      return false;
    }
    const std::optional<float> weight = weight_of(batch, row, place, rejections);
    if (!weight) return false;
    entries_.push_back({*from, *to, *weight});
    if (!table_.directed) entries_.push_back({*to, *from, *weight});
    return true;
  }

  const IngestOptions& options_;
  const LinkTable& table_;
  const graph::Dictionary& users_;
  IdMap ids_;
  std::vector<std::string> columns_;
  char decimal_ = '.';
  std::vector<graph::Entry> entries_;
};

}  // namespace

std::vector<graph::UserLinks> read_link_tables(const IngestOptions& options,
                                               const graph::Dictionary& users, ReadResult& read) {
  std::vector<graph::UserLinks> all;
  for (const LinkTable& table : options.links) {
    LinkReader reader(options, table, users);
    for (const std::filesystem::path& path : table.source.files) {
      FileAccount& account = read.link_files.emplace_back();
      account.path = path;
      account.role = InputRole::links;
      reader.read(path, account);
    }
    all.push_back(reader.links());
  }
  return all;
}

std::int64_t count_links(const std::vector<graph::UserLinks>& links) {
  std::int64_t count = 0;
  for (const graph::UserLinks& kind : links)
    count += kind.links.view().num_entries() / (kind.directed ? 1 : 2);
  return count;
}

}  // namespace penchant::pipeline
