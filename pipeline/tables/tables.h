// SPDX-License-Identifier: Apache-2.0
// Tables in and out: delimited text (text_reader.h), Parquet through Apache Arrow. Arrow's headers
// stay inside tables.cc, frames.cc, text_lines.cc, arrow_cells.h, text_source.cc and parquet_writer.cc. Every
// cell is read as text: ids keep their bytes, and each rule of ingest decides itself what a valid
// number or time is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/files.h"
#include "pipeline/tables/text_options.h"

namespace arrow {
class RecordBatch;
}

namespace penchant::pipeline {

/// What the cells of a column are. list: of single values. vector: a list of floats. clock: a time
/// of day. other: nothing that has a plain text (a struct, a map, nested lists, bytes of fixed
/// size, a duration).
enum class CellKind : std::uint8_t { text, number, boolean, time, clock, list, vector, other };
struct ColumnType {
  CellKind kind = CellKind::text;
  std::string name = "text";  ///< such as "list<item: string>"
  bool has_zone = false;      ///< time: an instant, not a clock's time somewhere
};

/// A record that could not be split into the right number of fields.
struct MalformedRow {
  std::int64_t line = 0;
  std::int64_t expected_fields = 0;
  std::int64_t found_fields = 0;
  bool open_quote = false;  ///< some field begins with a quote that does not close
};
/// "3 fields, expected 4", and what may help.
std::string explain(const MalformedRow& row);

/// A row of which a field begins with a quote that does not close; the quote was read as text.
struct OpenQuote {
  std::int64_t line = 0;
  std::int64_t field = 0;  ///< from 1
};
/// How such rows are counted and shown.
inline constexpr const char* kOpenQuote = "quote that does not close, read as text";
std::string explain(const OpenQuote& quote);

/// In the place of a number that is not there.
inline constexpr std::int64_t kNoTimeNumber = std::numeric_limits<std::int64_t>::min();

/// A batch of rows. Cells are views into buffers that live until the next call of
/// TableReader::next, or as long as the block from which TableReader::split made the batch.
struct TextBatch {
  std::int64_t num_rows = 0;
  std::int64_t first_line =
      0;  ///< of the batch; from 1 (split(): from 0 at the start of the block)
  std::vector<std::vector<std::string_view>>
      columns;                           ///< in the order asked for; data() == nullptr: null
  std::vector<std::int64_t> times;       ///< TableReadOptions::times_as_numbers, in place of that
                                         ///< column's cells; kNoTimeNumber: null
  std::vector<std::uint32_t> row_lines;  ///< behind first_line; empty: 0, 1, 2, ...
  std::vector<MalformedRow> malformed;   ///< left out
  std::vector<OpenQuote> open_quotes;    ///< of rows that are not left out
  TextCounts counts;                     ///< of the batch's lines

  /// Line of a row in the file, its first one.
  std::int64_t line(std::size_t row) const {
    return first_line + static_cast<std::int64_t>(row_lines.empty() ? row : row_lines[row]);
  }
  void clear(std::size_t num_columns) {
    num_rows = 0;
    columns.resize(num_columns);
    times.clear();
    row_lines.clear();
    malformed.clear();
    open_quotes.clear();
    counts = {};
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
  /// column (with some that are known), a column asked for whose name the file has twice.
  TableReader(const std::filesystem::path& path, const TableReadOptions& options,
              std::span<const std::string> columns);
  ~TableReader();
  TableReader(TableReader&&) noexcept;
  TableReader& operator=(TableReader&&) noexcept;

  /// Fills the next block; false at the end, where it checks that all lines are accounted for.
  /// Throws InputError: truncated or damaged file.
  bool next(TextBatch& batch);

  /// next() in two steps: blocks are fetched one after another in the order of the file, and
  /// several threads may split different blocks meanwhile.
  bool fetch(TableBlock& block);
  /// The next rows of a block, about `most_bytes` of text; false if none is left.
  bool split(TableBlock& block, TextBatch& batch, std::size_t most_bytes) const;
  /// About how many blocks the file has; 0 where that is not known.
  std::size_t expected_blocks() const;
  /// Line of the first block: behind the header.
  std::int64_t first_line() const;
  /// What the lines were that have been split so far, and those before the first block.
  TextCounts counts() const;
  /// Once every block is fetched and split. Throws InputError if the lines or bytes that were split
  /// are not those of the file: a fault of this program, but never a silent one.
  void check_all_counted() const;
  /// What a user should know about how the text is read, such as quotes that are taken for text;
  /// else empty. Known at the end.
  std::string note() const;
  /// Hash of the file (manifest.h) if reading it came by it, else empty. Known at the end.
  std::string hash() const;

  /// Rows of the last next() with all columns (TableReadOptions::all_columns) as Arrow has them, or
  /// no rows if there are none yet; null for text.
  std::shared_ptr<arrow::RecordBatch> arrow_batch() const;
  /// Whether the file has types: Parquet, and tables in memory.
  bool is_typed() const;
  /// What a column holds; text for text files.
  const ColumnType& type(std::size_t column) const;
  /// True if a column is the time column and typed: its cells are milliseconds since 1970 as
  /// digits.
  bool is_timestamp(std::size_t column) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Names of the columns of a file, in its order.
std::vector<std::string> table_columns(const std::filesystem::path& path,
                                       const TableReadOptions& options);

/// Types of columns of a Parquet file or a table in memory; empty for text. Throws InputError: an
/// unknown column.
std::vector<ColumnType> parquet_column_types(const std::filesystem::path& path,
                                             std::span<const std::string> columns,
                                             const TableReadOptions& options = {});

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
  void write(const std::shared_ptr<arrow::RecordBatch>& batch);
  void close(graph::Flush flush = graph::Flush::yes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Arrow's own version, for `penchant info`.
std::string arrow_version();

}  // namespace penchant::pipeline
