// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/item_table.h"

#include <algorithm>

#include <fmt/core.h>

#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

void read_rows(const fs::path& path, TableReader& reader, const IngestOptions& options,
               FileAccount& account, const TakeRow& take) {
  Rejections rejections(options);
  Rejections remarks(options);
  TextBatch batch;
  while (reader.next(batch)) {
    reject_damaged_rows(path, batch, account.rows, rejections, remarks);
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
      ++account.rows.read;
      const std::function<std::string()> place = [&] {
        return fmt::format("{}:{}", path.string(), batch.line(row));
      };
      if (take(batch, row, place, rejections)) ++account.rows.kept;
    }
  }
  add_counts(reader, rejections, account);
  account.rows.rejected = rejections.take();
  account.rows.remarks = remarks.take();
}

void add_counts(const TableReader& reader, Rejections& rejections, FileAccount& account) {
  const TextCounts counts = reader.counts();
  account.lines = LineCounts{.lines = counts.lines,
                             .header = counts.header_lines,
                             .repeated_header = counts.repeated_headers,
                             .blank = counts.blank_lines,
                             .continuation = counts.continuation_lines,
                             .without_items = 0,
                             .rows = counts.rows + counts.malformed};
  account.rows.read += counts.repeated_headers;
  rejections.filtered("repeated header", counts.repeated_headers);
  if (!reader.note().empty())
    account.rows.notes.push_back(fmt::format("{}: {}", account.path.string(), reader.note()));
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

void reject_damaged_rows(const fs::path& path, const TextBatch& batch, RowCounts& rows,
                         Rejections& rejections, Rejections& remarks) {
  for (const MalformedRow& row : batch.malformed) {
    ++rows.read;
    rejections.malformed("wrong number of fields", [&] {
      return fmt::format("{}:{}: {}", path.string(), row.line, explain(row));
    });
  }
  for (const OpenQuote& quote : batch.open_quotes) {
    remarks.malformed(kOpenQuote, [&] {
      return fmt::format("{}:{}: {}", path.string(), quote.line, explain(quote));
    });
  }
}

bool is_item(std::string_view raw, const std::string& column,
             const std::vector<std::string>& missing, const std::function<std::string()>& place,
             Rejections& rejections) {
  if (is_missing(raw, missing)) {
    rejections.malformed("missing item",
                         [&] { return fmt::format("{}: column '{}' is empty", place(), column); });
    return false;
  }
  if (is_valid_utf8(raw)) return true;
  rejections.malformed(kBrokenUtf8, [&] {
    return fmt::format("{}: {}", place(),
                       explain_broken_utf8(fmt::format("column '{}'", column), raw));
  });
  return false;
}

namespace {

/// Adds the rows of one file of the item table to the catalogue. Column 0 is the item's.
void read_item_file(const fs::path& path, const std::vector<std::string>& columns,
                    const std::vector<FilterRule>& filters, const IngestOptions& options,
                    RawCatalog& catalog, FileAccount& account) {
  TableReader reader(path, options.item_table->text, columns);
  const auto decimal_of = [&](std::size_t column) {
    return reader.type(column).kind == CellKind::number ? '.' : options.decimal;
  };
  for (std::size_t a = 0; a < catalog.attributes.size(); ++a)
    catalog.attributes[a].decimal = decimal_of(a + 1);
  IdMap item_ids(options, Entity::item);
  const TakeRow take = [&](const TextBatch& batch, std::size_t row,
                           const std::function<std::string()>& place, Rejections& rejections) {
    if (!passes_filters(filters, batch, row, decimal_of, place, rejections)) return false;
    if (!is_item(batch.columns[0][row], columns[0], options.missing, place, rejections))
      return false;
    const std::string_view raw = item_ids(batch.columns[0][row]);
    const std::int64_t known = catalog.items.size();
    if (catalog.items.intern(raw) < known) {
      rejections.malformed("item listed twice, first row kept",
                           [&] { return fmt::format("{}: item '{}' again", place(), raw); });
      return false;
    }
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
      attribute.values.push_back(missing ? std::string() : attribute_value(attribute.column, cell));
    }
    return true;
  };
  read_rows(path, reader, options, account, take);
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
    if (files.size() > 1 && holds_nothing(path, options.item_table->text)) {
      account.lines.emplace();
    } else {
      read_item_file(path, columns, filters, options, catalog, account);
    }
  }
}

}  // namespace penchant::pipeline
