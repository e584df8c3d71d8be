// SPDX-License-Identifier: Apache-2.0
// Rows of a Parquet file handed on as they are, with a column of scores behind the others.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

/// Rows of a batch with their types, nulls and the file's own metadata, and a column `name`.
/// `rows` ascends.
std::shared_ptr<arrow::RecordBatch> batch_with_scores(
    const std::shared_ptr<arrow::RecordBatch>& batch, std::span<const std::size_t> rows,
    const std::string& name, std::span<const float> scores);

/// Cells of a batch as text, column by column: times as ISO-8601 with all their digits, lists,
/// structs and maps as JSON; data() == nullptr: null.
struct TypedCells {
  std::vector<std::vector<std::string_view>> columns;
  std::shared_ptr<const void> memory;  ///< of the text, beside the batch's own
};
TypedCells cells_of(const arrow::RecordBatch& batch);

}  // namespace penchant::pipeline
