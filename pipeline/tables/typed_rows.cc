// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/typed_rows.h"

#include <arrow/api.h>
#include <arrow/array/concatenate.h>

#include "graph/error.h"
#include "pipeline/tables/arrow_cells.h"
#include "pipeline/tables/arrow_status.h"

namespace penchant::pipeline {

namespace {

/// Spark's own description of the columns, which it believes before the file's: it would hide the
/// score.
constexpr const char* kSparkColumns = "org.apache.spark.sql.parquet.row.metadata";

std::shared_ptr<arrow::Array> select_rows(const std::shared_ptr<arrow::Array>& array,
                                          std::span<const std::size_t> rows) {
  arrow::ArrayVector runs;  // of rows that follow one another
  for (std::size_t first = 0; first < rows.size();) {
    std::size_t last = first + 1;
    while (last < rows.size() && rows[last] == rows[last - 1] + 1) ++last;
    runs.push_back(array->Slice(static_cast<std::int64_t>(rows[first]),
                                static_cast<std::int64_t>(last - first)));
    first = last;
  }
  if (runs.empty()) return array->Slice(0, 0);
  return runs.size() == 1 ? runs.front() : take(arrow::Concatenate(runs), "score");
}

}  // namespace

std::shared_ptr<arrow::RecordBatch> batch_with_scores(
    const std::shared_ptr<arrow::RecordBatch>& batch, std::span<const std::size_t> rows,
    const std::string& name, std::span<const float> scores) {
  PENCHANT_ASSERT(rows.size() == scores.size());
  arrow::ArrayVector columns;
  for (const auto& column : batch->columns()) columns.push_back(select_rows(column, rows));
  arrow::FloatBuilder builder;
  check(builder.AppendValues(scores.data(), static_cast<std::int64_t>(scores.size())), "score");
  columns.push_back(take(builder.Finish(), "score"));
  auto schema =
      take(batch->schema()->AddField(batch->num_columns(), arrow::field(name, arrow::float32())),
           "score");
  if (schema->metadata() != nullptr && schema->metadata()->Contains(kSparkColumns)) {
    const auto metadata = schema->metadata()->Copy();
    check(metadata->Delete(kSparkColumns), "score");
    schema = schema->WithMetadata(metadata);
  }
  return arrow::RecordBatch::Make(schema, static_cast<std::int64_t>(rows.size()), columns);
}

TypedCells cells_of(const arrow::RecordBatch& batch) {
  TypedCells cells;
  const auto stores =
      std::make_shared<std::vector<CellStore>>(static_cast<std::size_t>(batch.num_columns()));
  cells.columns.resize(stores->size());
  for (std::size_t c = 0; c < cells.columns.size(); ++c) {
    append_cells(*batch.column(static_cast<int>(c)), "score", cells.columns[c], (*stores)[c],
                 {.nested_as_json = true});
  }
  cells.memory = stores;
  return cells;
}

}  // namespace penchant::pipeline
