// SPDX-License-Identifier: Apache-2.0
// Tables in and out through Apache Arrow: delimited text (plain, gzip, zstd) and Parquet. Arrow's
// headers stay inside tables.cc, arrow_cells.h and parquet_writer.cc. Every cell is read as text:
// ids keep their bytes, and each rule of ingest decides itself what a valid number or time is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/files.h"

namespace penchant::pipeline {

struct TableReadOptions {
  /// '\0': ',' for .csv, or where its first line has none the ';' or tab it has; '\t' for .tsv;
  /// else the likeliest of the first line.
  char separator = '\0';
  bool header = true;  ///< false: columns are named "1", "2", ...
  char quote = '"';
};

/// A row that could not be split into the right number of fields.
struct MalformedRow {
  std::int64_t line = 0;
  std::int64_t expected_fields = 0;
  std::int64_t found_fields = 0;
};

/// A batch of rows. Cells are views into buffers that live until the next call of
/// TableReader::next, or as long as the block from which TableReader::split made the batch.
struct TextBatch {
  std::int64_t num_rows = 0;
  std::int64_t first_line = 0;  ///< of the first row or malformed row; from 1, header included
                                ///< (split(): from 0 at the start of the block); quoted line breaks
                                ///< do not count
  std::vector<std::vector<std::string_view>>
      columns;                          ///< in the order asked for; data() == nullptr: null
  std::vector<MalformedRow> malformed;  ///< rows left out since the last batch

  /// Line of a row in the file.
  std::int64_t line(std::size_t row) const {
    const std::int64_t line = first_line + static_cast<std::int64_t>(row);
    // Lines of malformed rows ascend, so those that lie before the row come first.
    std::int64_t before = 0;
    for (auto after = static_cast<std::int64_t>(malformed.size()); before < after;) {
      const std::int64_t middle = (before + after) / 2;
      if (malformed[static_cast<std::size_t>(middle)].line - middle <= line)
        before = middle + 1;
      else
        after = middle;
    }
    return line + before;
  }
  /// A line of a text file with nothing in the columns asked for: not a row.
  bool is_blank(std::size_t row) const {
    return std::all_of(columns.begin(), columns.end(), [row](const auto& cells) {
      return cells[row].data() != nullptr && cells[row].empty();
    });
  }
};

/// Separates the elements of a list cell (Parquet lists) within its text: U+001F, "unit separator".
inline constexpr char kListSeparator = '\x1f';

/// A part of a file that was read but not yet split into cells; empty until TableReader::fetch
/// fills it. Reusing one keeps its memory.
class TableBlock {
 public:
  TableBlock();
  ~TableBlock();
  TableBlock(TableBlock&&) noexcept;
  TableBlock& operator=(TableBlock&&) noexcept;

 private:
  friend class TableReader;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class TableReader {
 public:
  /// Opens a file and selects columns by name. Throws InputError: missing or empty file, unknown
  /// column (with the known ones).
  TableReader(const std::filesystem::path& path, const TableReadOptions& options,
              std::span<const std::string> columns);
  ~TableReader();
  TableReader(TableReader&&) noexcept;
  TableReader& operator=(TableReader&&) noexcept;

  /// Fills the next block; false at the end. Throws InputError: truncated or damaged file.
  bool next(TextBatch& batch);

  /// next() in two steps: blocks are fetched one after another in the order of the file, and
  /// several threads may split different blocks meanwhile.
  bool fetch(TableBlock& block);
  /// The next rows of a block, about `most_bytes` of text; false if none is left.
  bool split(TableBlock& block, TextBatch& batch, std::size_t most_bytes) const;
  /// About how many blocks the file has; 0 where that is not known.
  std::size_t expected_blocks() const;
  /// Line of the first row: 1, or 2 behind a header.
  std::int64_t first_line() const;
  /// Hash of the file (manifest.h) if reading it came by it, else empty. Known at the end.
  std::string hash() const;

  /// True if a column is a Parquet timestamp: its cells are milliseconds since 1970 as digits.
  bool is_timestamp(std::size_t column) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Names of the columns of a file, in its order.
std::vector<std::string> table_columns(const std::filesystem::path& path,
                                       const TableReadOptions& options);

/// One column to write: text, lists of text (rows x offsets), numbers, or vectors of floats.
struct ListColumn {
  std::vector<std::int64_t> offsets;  ///< rows + 1
  std::vector<std::string_view> elements;
};
struct VectorColumn {
  const float* data = nullptr;  ///< row-major, rows of `stride` floats
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  bool half = false;  ///< store as float16
};
/// Integers equal to `null_value` and NaN floats become nulls.
struct Int64Column {
  std::span<const std::int64_t> values;
  std::int64_t null_value;
};
using ColumnValues = std::variant<std::vector<std::string_view>, ListColumn, Int64Column,
                                  std::vector<float>, VectorColumn>;
struct OutputColumn {
  std::string name;
  ColumnValues values;
};

/// Writes Parquet (zstd) block by block under a temporary name; close() puts it in place. Every
/// block has the same columns. What is handed over at once may be of any size: it is divided where
/// a column's text would grow beyond `most_text_bytes`.
class ParquetWriter {
 public:
  explicit ParquetWriter(const std::filesystem::path& path,
                         std::int64_t most_text_bytes = std::int64_t{1} << 30);
  ~ParquetWriter();
  void write(std::int64_t num_rows, const std::vector<OutputColumn>& columns);
  void close(graph::Flush flush = graph::Flush::yes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Arrow's own version, for `penchant info`.
std::string arrow_version();

}  // namespace penchant::pipeline
