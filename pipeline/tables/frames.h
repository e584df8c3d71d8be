// SPDX-License-Identifier: Apache-2.0
// Tables in memory. They come and go by the Arrow C stream interface, which pandas, Polars, PyArrow
// and DuckDB speak: columns are handed over, never copied into text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/tables/tables.h"

struct ArrowArrayStream;

namespace penchant::pipeline {

/// A table in memory.
struct Frame {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;  ///< one or more, of one schema
  std::int64_t num_rows = 0;
};

/// Tables by the names that stand for them where a file's path does, such as "<log>".
class Frames {
 public:
  /// Reads a stream to its end and releases it. Throws InputError naming the table: its producer
  /// fails, or its arrays do not fit its types.
  void add(const std::string& name, ArrowArrayStream* stream);
  /// Null: there is none of this name.
  const Frame* find(const std::filesystem::path& name) const;

 private:
  std::map<std::string, Frame> frames_;
};

/// The table that a path means; null: it is a file.
inline const Frame* frame_of(const std::filesystem::path& path, const TableReadOptions& options) {
  return options.frames == nullptr ? nullptr : options.frames->find(path);
}

/// holds_nothing() of a file or a table in memory, which has rows or at least columns.
bool holds_nothing(const std::filesystem::path& path, const TableReadOptions& options);

/// Columns as a table in memory. All have `num_rows` rows.
Frame make_frame(std::int64_t num_rows, const std::vector<OutputColumn>& columns);
/// Hands a table over; who takes the stream releases it.
void export_frame(const Frame& frame, ArrowArrayStream* stream);

}  // namespace penchant::pipeline
