// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/columns_file.h"

#include <cstddef>
#include <string_view>
#include <variant>

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/core.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/tables/arrow_file.h"
#include "pipeline/tables/csv_cell.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

enum class ColumnsText { csv, jsonl };

/// One cell as CSV has it, or as JSON has it.
std::string cell_text(const ColumnValues& values, std::size_t row, ColumnsText format,
                      CsvReader reader) {
  if (const auto* texts = std::get_if<std::vector<std::string_view>>(&values)) {
    if (format == ColumnsText::jsonl)
      return nlohmann::json(std::string((*texts)[row]))
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::string cell;
    append_csv_cell((*texts)[row], [&](std::string_view piece) { cell += piece; }, reader);
    return cell;
  }
  if (const auto* integers = std::get_if<Int64Column>(&values))
    return fmt::format("{}", integers->values[row]);
  return fmt::format("{}", std::get<std::vector<float>>(values)[row]);
}

void write_text(const fs::path& path, std::int64_t num_rows,
                const std::vector<OutputColumn>& columns, ColumnsText format) {
  graph::NewFile target(path);
  fmt::memory_buffer buffer;
  const auto append = [&](std::string_view text) { buffer.append(text); };
  const auto flush = [&] {
    target.stream().write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    buffer.clear();
  };
  for (std::size_t j = 0; j < columns.size() && format == ColumnsText::csv; ++j) {
    append(j == 0 ? "" : ",");
    append_csv_cell(columns[j].name, append);
  }
  append(format == ColumnsText::csv ? "\n" : "");
  for (std::size_t row = 0; std::cmp_less(row, num_rows); ++row) {
    for (std::size_t j = 0; j < columns.size(); ++j) {
      if (format == ColumnsText::csv) {
        append(j == 0 ? "" : ",");
      } else {
        append(fmt::format("{}\"{}\":", j == 0 ? "{" : ",", columns[j].name));
      }
      append(cell_text(columns[j].values, row, format, csv_reader_of(path)));
    }
    append(format == ColumnsText::csv ? "\n" : "}\n");
    if (buffer.size() >= std::size_t{1} << 20) flush();
  }
  flush();
  target.commit();
}

}  // namespace

Frame frame_of_columns(std::int64_t num_rows, const std::vector<OutputColumn>& columns,
                       const RankedFacts& facts) {
  Frame frame = make_frame(num_rows, columns);
  std::vector<std::string> keys, values;
  for (const auto& [key, value] : facts) {
    keys.push_back(key);
    values.push_back(value);
  }
  const auto metadata = arrow::key_value_metadata(keys, values);
  for (auto& batch : frame.batches) batch = batch->ReplaceSchemaMetadata(metadata);
  return frame;
}

void write_columns(const fs::path& path, std::int64_t num_rows,
                   const std::vector<OutputColumn>& columns, const RankedFacts& facts) {
  const fs::path ending = path.extension();
  if (!is_ranked_name(path)) {
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .parquet, .arrow, .csv or .jsonl",
                    path.string()));
  }
  if (ending == ".csv") return write_text(path, num_rows, columns, ColumnsText::csv);
  if (ending == ".jsonl") return write_text(path, num_rows, columns, ColumnsText::jsonl);
  const Frame frame = frame_of_columns(num_rows, columns, facts);
  if (ending == ".parquet") {
    ParquetWriter writer(path);
    for (const auto& batch : frame.batches) writer.write(batch);
    return writer.close();
  }
  ArrowFileWriter writer(path, frame.batches.front()->schema());
  for (const auto& batch : frame.batches) writer.write(*batch);
  writer.commit();
}

}  // namespace penchant::pipeline
