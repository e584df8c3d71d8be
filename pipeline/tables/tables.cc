// SPDX-License-Identifier: Apache-2.0
// Reading. Arrow is included here, in arrow_cells.h, parquet_writer.cc and arrow_status.h, and
// nowhere else.
#include "pipeline/tables/tables.h"

#include <algorithm>
#include <future>
#include <limits>
#include <mutex>

#include <arrow/api.h>
#include <arrow/config.h>
#include <arrow/io/api.h>
#include <fmt/core.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/arrow_cells.h"
#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/text_reader.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Text for a message: names can be long, and many.
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  constexpr std::size_t kLongest = 80;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    text += (i == 0 ? "" : ", ") + names[i].substr(0, kLongest);
    if (names[i].size() > kLongest) text += "...";
  }
  if (names.size() > kMost) text += fmt::format(" and {} more", names.size() - kMost);
  return printable(text, kMessageBytes);
}

std::vector<int> find_columns(const fs::path& path, const std::vector<std::string>& known,
                              std::span<const std::string> wanted,
                              const TableReadOptions& options) {
  std::vector<int> indices;
  for (const std::string& name : wanted) {
    const auto place = std::find(known.begin(), known.end(), name);
    if (place == known.end()) {
      if (options.withhold_names) {
        throw InputError(fmt::format(
            "{}: no column '{}'; it has {} columns, whose names are not shown, since a first line "
            "without names would hold ids (data.pseudonymise)",
            path.string(), name, known.size()));
      }
      const std::string near = nearest(name, known);
      throw InputError(fmt::format("{}: no column '{}'{}; the columns are: {}", path.string(), name,
                                   near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                   some_names(known)));
    }
    if (std::find(place + 1, known.end(), name) != known.end()) {
      throw InputError(fmt::format("{}: two columns are named '{}', so which is meant is not known",
                                   path.string(), name));
    }
    indices.push_back(static_cast<int>(place - known.begin()));
  }
  return indices;
}

}  // namespace

std::string explain(const MalformedRow& row) {
  return fmt::format("{} fields, expected {}{}", row.found_fields, row.expected_fields,
                     row.open_quote ? "; a quote in it does not close (quote = \"none\" reads "
                                      "quotes as text)"
                                    : "");
}

std::string explain(const OpenQuote& quote) {
  return fmt::format(
      "the quote at the beginning of field {} does not close (quote = \"none\" reads quotes as "
      "text)",
      quote.field);
}

struct TableBlock::Impl {
  TextBlock text;
  std::shared_ptr<arrow::RecordBatch> batch;  ///< of a typed table
  std::int64_t next_row = 0;                  ///< of it, the first that is not split yet
  bool all_split = false;
  std::vector<CellStore> stores;
  std::vector<std::shared_ptr<const DictionaryCells>> dictionaries;  ///< what cells view
  std::vector<std::uint32_t> ends;
};

TableBlock::TableBlock() : impl_(std::make_unique<Impl>()) {}
TableBlock::~TableBlock() = default;
TableBlock::TableBlock(TableBlock&&) noexcept = default;
TableBlock& TableBlock::operator=(TableBlock&&) noexcept = default;

struct TableReader::Impl {
  fs::path path;
  std::vector<std::string> columns;  ///< asked for
  std::vector<int> order;            ///< field or column of the file for each of them
  std::unique_ptr<TextReader> text;  ///< null: Parquet
  std::shared_ptr<arrow::RecordBatchReader> reader;
  std::unique_ptr<parquet::arrow::FileReader> parquet_reader;  // owns what `reader` reads from
  std::vector<ColumnType> types;                               ///< of the columns asked for
  mutable std::vector<DictionaryCache> dictionaries;           ///< of the columns asked for
  TableReadOptions options;
  std::int64_t next_line = 1;  ///< next(): of the next batch
  TableBlock block;            ///< next(): where the batch lies
  std::size_t num_blocks = 0;  ///< of a table in memory
  mutable std::mutex mutex;
  TextCounts counts;
  std::future<arrow::Result<std::shared_ptr<arrow::RecordBatch>>>
      ahead;  ///< last member: its destructor waits

  /// The next block, null at the end; of a file the block behind it is read meanwhile.
  std::shared_ptr<arrow::RecordBatch> next_block() {
    const auto read = [this] { return reader->Next(); };
    if (num_blocks > 0) return take(read(), path);
    if (!ahead.valid()) ahead = std::async(std::launch::async, read);
    std::shared_ptr<arrow::RecordBatch> batch = take(ahead.get(), path);
    if (batch != nullptr) ahead = std::async(std::launch::async, read);
    return batch;
  }

  /// In blocks that keep all threads busy, whatever those of the table are.
  void open_frame(const Frame& frame) {
    constexpr std::int64_t kRows = 65536;
    std::vector<std::shared_ptr<arrow::RecordBatch>> blocks;
    for (const auto& batch : frame.batches) {
      for (std::int64_t first = 0; first < batch->num_rows(); first += kRows)
        blocks.push_back(batch->Slice(first, kRows));
    }
    num_blocks = blocks.size();
    const auto schema = frame.batches.front()->schema();
    order = find_columns(path, schema->field_names(), columns, options);
    for (const int field : order) types.push_back(column_type(*schema->field(field)->type()));
    reader = take(arrow::RecordBatchReader::Make(std::move(blocks), schema), path);
  }

  /// The next rows of a block, few enough that their cells stay in the processor's cache.
  void split_typed(TableBlock::Impl& from, std::size_t most_bytes, TextBatch& batch) const {
    constexpr std::size_t kCellBytes = 2 * sizeof(std::string_view);  // a view and a short text
    constexpr std::size_t kFewest = 64;
    const std::int64_t first = from.next_row;
    const std::int64_t left = from.batch->num_rows() - first;
    const std::size_t most = most_bytes / (kCellBytes * std::max<std::size_t>(columns.size(), 1));
    const std::int64_t num_rows = static_cast<std::int64_t>(
        std::min(static_cast<std::size_t>(left), std::max(most, kFewest)));
    from.next_row = first + num_rows;
    from.all_split = num_rows == left;
    from.stores.resize(columns.size());
    from.dictionaries.resize(columns.size());
    batch.first_line = first;
    batch.num_rows = batch.counts.lines = batch.counts.rows = num_rows;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (first == 0) from.stores[c].clear();  // views live as long as the block
      batch.columns[c].clear();
      const bool is_time = columns[c] == options.time_column;
      const CellStyle style = {.times_as_milliseconds = is_time};
      const auto rows = from.batch->column(order[c])->Slice(first, num_rows);
      if (is_time && options.times_as_numbers && read_time_numbers(*rows, batch.times)) continue;
      if (rows->type_id() == arrow::Type::DICTIONARY) {
        const auto& coded = static_cast<const arrow::DictionaryArray&>(*rows);
        from.dictionaries[c] = dictionaries[c].find(coded, path, style);
        append_coded_cells(coded, from.dictionaries[c]->values, batch.columns[c]);
      } else {
        append_cells(*rows, path, batch.columns[c], from.stores[c], style);
      }
    }
  }

  void open_parquet() {
    auto file =
        take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
    try {
      parquet_reader = take(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
    } catch (const parquet::ParquetException& error) {
      throw_if_refused(path, error.what());
      throw InputError(
          fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
    }
    parquet_reader->set_use_threads(true);
    std::shared_ptr<arrow::Schema> schema;
    check(parquet_reader->GetSchema(&schema), path);
    const std::vector<int> columns_of_file =
        find_columns(path, schema->field_names(), columns, options);
    // Leaf columns of the chosen top-level fields.
    std::vector<int> leaves;
    const auto& descriptor = *parquet_reader->parquet_reader()->metadata()->schema();
    for (int leaf = 0; leaf < descriptor.num_columns(); ++leaf) {
      const std::string root = descriptor.GetColumnRoot(leaf)->name();
      if (options.all_columns || std::find(columns.begin(), columns.end(), root) != columns.end())
        leaves.push_back(leaf);
    }
    std::vector<int> groups(static_cast<std::size_t>(parquet_reader->num_row_groups()));
    for (std::size_t g = 0; g < groups.size(); ++g) groups[g] = static_cast<int>(g);
    reader = take(parquet_reader->GetRecordBatchReader(groups, leaves), path);
    order = find_columns(path, reader->schema()->field_names(), columns, options);
    for (const int field : columns_of_file)
      types.push_back(column_type(*schema->field(field)->type()));
  }
};

TableReader::TableReader(const fs::path& path, const TableReadOptions& options,
                         std::span<const std::string> columns)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->options = options;
  impl_->columns.assign(columns.begin(), columns.end());
  impl_->dictionaries = std::vector<DictionaryCache>(columns.size());
  if (const Frame* frame = frame_of(path, options)) {
    impl_->open_frame(*frame);
    return;
  }
  const FileKind kind = file_kind(path);
  if (kind == FileKind::parquet) {
    impl_->open_parquet();
    return;
  }
  impl_->text = std::make_unique<TextReader>(path, kind, options);
  impl_->order = find_columns(path, impl_->text->names(), columns, options);
  impl_->types.assign(columns.size(), {});
  impl_->counts = impl_->text->front();
  impl_->next_line = first_line();
}

TableReader::~TableReader() = default;
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;

bool TableReader::fetch(TableBlock& block) {
  Impl& impl = *impl_;
  TableBlock::Impl& to = *block.impl_;
  if (impl.text != nullptr) return impl.text->fetch(to.text);
  to.next_row = 0;
  to.all_split = false;
  try {
    to.batch = impl.next_block();
  } catch (const parquet::ParquetException& error) {
    throw_if_refused(impl.path, error.what());
    throw InputError(fmt::format("{}: damaged Parquet file: {}", impl.path.string(), error.what()));
  }
  return to.batch != nullptr;
}

bool TableReader::split(TableBlock& block, TextBatch& batch, std::size_t most_bytes) const {
  const Impl& impl = *impl_;
  TableBlock::Impl& from = *block.impl_;
  batch.clear(impl.columns.size());
  if (impl.text != nullptr) {
    if (!impl.text->split(from.text, impl.order, most_bytes, from.ends, batch)) return false;
  } else {
    if (from.all_split) return false;
    impl.split_typed(from, most_bytes, batch);
  }
  const std::lock_guard lock(impl.mutex);
  impl_->counts += batch.counts;
  return true;
}

bool TableReader::next(TextBatch& batch) {
  Impl& impl = *impl_;
  if (!fetch(impl.block)) {
    batch.clear(impl.columns.size());
    check_all_counted();
    return false;
  }
  const bool found = split(impl.block, batch, std::numeric_limits<std::size_t>::max());
  PENCHANT_ASSERT(found);
  batch.first_line = impl.next_line;
  for (MalformedRow& row : batch.malformed) row.line += impl.next_line;
  for (OpenQuote& quote : batch.open_quotes) quote.line += impl.next_line;
  impl.next_line += batch.counts.lines;
  return true;
}

std::size_t TableReader::expected_blocks() const {
  return impl_->text == nullptr ? impl_->num_blocks : impl_->text->expected_blocks();
}

std::int64_t TableReader::first_line() const {
  return impl_->text == nullptr ? 1 : impl_->text->front().lines + 1;
}

TextCounts TableReader::counts() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->counts;
}

void TableReader::check_all_counted() const {
  const TextCounts found = counts();
  const bool all_bytes =
      impl_->text == nullptr || (impl_->text->at_end() && found.bytes == impl_->text->num_bytes());
  if (found.closes() && all_bytes) return;
  throw InputError(fmt::format(
      "{}: the program lost count: {} lines are {} of the header, {} blank, {} inside cells, {} "
      "repeated headers, {} rows and {} malformed rows; {} bytes of {} were split. Please report "
      "it",
      impl_->path.string(), found.lines, found.header_lines, found.blank_lines,
      found.continuation_lines, found.repeated_headers, found.rows, found.malformed, found.bytes,
      impl_->text == nullptr ? 0 : impl_->text->num_bytes()));
}

std::string TableReader::note() const {
  return impl_->text == nullptr ? std::string() : impl_->text->note();
}

std::string TableReader::hash() const {
  return impl_->text == nullptr ? std::string() : impl_->text->hash();
}

std::shared_ptr<arrow::RecordBatch> TableReader::arrow_batch() const {
  if (!is_typed()) return nullptr;
  const auto& batch = impl_->block.impl_->batch;
  return batch != nullptr
             ? batch
             : take(arrow::RecordBatch::MakeEmpty(impl_->reader->schema()), impl_->path);
}

bool TableReader::is_typed() const { return impl_->reader != nullptr; }

const ColumnType& TableReader::type(std::size_t column) const { return impl_->types[column]; }

bool TableReader::is_timestamp(std::size_t column) const {
  return impl_->types[column].kind == CellKind::time &&
         impl_->columns[column] == impl_->options.time_column;
}

std::vector<ColumnType> parquet_column_types(const fs::path& path,
                                             std::span<const std::string> columns,
                                             const TableReadOptions& options) {
  const auto types_of = [&](const arrow::Schema& schema) {
    std::vector<ColumnType> types;
    for (const int field : find_columns(path, schema.field_names(), columns, options))
      types.push_back(column_type(*schema.field(field)->type()));
    return types;
  };
  if (const Frame* frame = frame_of(path, options))
    return types_of(*frame->batches.front()->schema());
  if (file_kind(path) != FileKind::parquet) return {};
  const auto file =
      take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
  std::shared_ptr<arrow::Schema> schema;
  try {
    const auto reader = take(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
    check(reader->GetSchema(&schema), path);
  } catch (const parquet::ParquetException& error) {
    throw_if_refused(path, error.what());
    throw InputError(
        fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
  }
  return types_of(*schema);
}

std::vector<std::string> table_columns(const fs::path& path, const TableReadOptions& options) {
  if (const Frame* frame = frame_of(path, options))
    return frame->batches.front()->schema()->field_names();
  const FileKind kind = file_kind(path);
  if (kind == FileKind::parquet) {
    auto file =
        take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
    try {
      auto reader = take(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
      std::shared_ptr<arrow::Schema> schema;
      check(reader->GetSchema(&schema), path);
      return schema->field_names();
    } catch (const parquet::ParquetException& error) {
      throw_if_refused(path, error.what());
      throw InputError(
          fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
    }
  }
  return TextReader(path, kind, options).names();
}

std::string arrow_version() { return arrow::GetBuildInfo().version_string; }

}  // namespace penchant::pipeline
