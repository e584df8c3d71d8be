// SPDX-License-Identifier: Apache-2.0
// Item tables with a row for each item, and what all readers of tables share.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/ingest/read_result.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

void read_item_table(const IngestOptions& options, ReadResult& result, RawCatalog& catalog);

/// Hands over the rows of a table one by one: `take` says whether it keeps the row, and counts why
/// not; `place` names the row in messages. Fills the account of the file.
using TakeRow =
    std::function<bool(const TextBatch& batch, std::size_t row,
                       const std::function<std::string()>& place, Rejections& rejections)>;
void read_rows(const std::filesystem::path& path, TableReader& reader, const IngestOptions& options,
               FileAccount& account, const TakeRow& take);
/// Adds what is known of a file once all of it is read.
void add_counts(const TableReader& reader, Rejections& rejections, FileAccount& account);
/// Whether all filters keep a row of a table; what they leave out is counted. `decimal_of` gives a
/// column's decimal sign, `place` the row's for messages.
bool passes_filters(const std::vector<FilterRule>& filters, const TextBatch& batch, std::size_t row,
                    const std::function<char(std::size_t)>& decimal_of,
                    const std::function<std::string()>& place,
                    Rejections& rejections);  /// Counts the rows that are none, and remarks on
                                              /// quotes that are not closed.
void reject_damaged_rows(const std::filesystem::path& path, const TextBatch& batch, RowCounts& rows,
                         Rejections& rejections, Rejections& remarks);
/// Whether a cell of `column` names an item; what it is instead is counted.
bool is_item(std::string_view raw, const std::string& column,
             const std::vector<std::string>& missing, const std::function<std::string()>& place,
             Rejections& rejections);

}  // namespace penchant::pipeline
