// SPDX-License-Identifier: Apache-2.0
// Reading. Arrow is included here, in arrow_cells.h, parquet_writer.cc and arrow_status.h, and
// nowhere else.
#include "pipeline/tables.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <future>
#include <limits>
#include <mutex>

#include <arrow/api.h>
#include <arrow/config.h>
#include <arrow/csv/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <arrow/util/thread_pool.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/arrow_cells.h"
#include "pipeline/arrow_status.h"
#include "pipeline/plain_text.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

enum class FileKind { text, gzip, zstd, parquet };

/// Recognises a file by its first bytes.
FileKind file_kind(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, error))
    throw InputError(fmt::format("{}: is a directory, expected a file", path.string()));
  graph::open_regular(path);  // a pipe would wait, a device never end
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw InputError(
        fmt::format("{}: cannot open the file: {}", path.string(), std::strerror(errno)));
  std::array<char, 4> magic{};
  file.read(magic.data(), magic.size());
  const std::string_view start(magic.data(), static_cast<std::size_t>(file.gcount()));
  if (start.empty()) throw InputError(fmt::format("{}: the file is empty", path.string()));
  if (start.starts_with("\x1f\x8b")) return FileKind::gzip;
  if (start.starts_with("\x28\xb5\x2f\xfd")) return FileKind::zstd;
  if (start == "PAR1") return FileKind::parquet;
  return FileKind::text;
}

/// The unpacked bytes from `offset` on, which must be 0 for a packed file.
std::shared_ptr<arrow::io::InputStream> open_stream(const fs::path& path, FileKind kind,
                                                    std::int64_t offset = 0) {
  const auto file = take(arrow::io::ReadableFile::Open(path.string()), path);
  check(file->Seek(offset), path);
  if (kind == FileKind::text) return file;
  const auto type = kind == FileKind::gzip ? arrow::Compression::GZIP : arrow::Compression::ZSTD;
  // The stream keeps a pointer to its codec: both live in one owner.
  std::shared_ptr<arrow::util::Codec> codec = take(arrow::util::Codec::Create(type), path);
  auto stream = take(arrow::io::CompressedInputStream::Make(codec.get(), file), path);
  auto* raw = stream.get();
  return {raw, [codec, stream = std::move(stream)](arrow::io::InputStream*) {}};
}

/// First line of a text file, for the separator and the header. Reads at most 1 MiB.
std::string first_line(const fs::path& path, FileKind kind) {
  auto stream = open_stream(path, kind);
  const auto buffer = take(stream->Read(1 << 20), path);
  const std::string_view text(reinterpret_cast<const char*>(buffer->data()),
                              static_cast<std::size_t>(buffer->size()));
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

char find_separator(const fs::path& path, FileKind kind, const TableReadOptions& options) {
  if (options.separator != '\0') return options.separator;
  std::string extension = path.extension().string();
  if (extension == ".gz" || extension == ".zst") extension = path.stem().extension().string();
  if (extension == ".tsv") return '\t';
  const std::string line = first_line(path, kind);
  const auto likeliest = [&](std::string_view candidates) {
    return *std::max_element(candidates.begin(), candidates.end(), [&](char a, char b) {
      return std::count(line.begin(), line.end(), a) < std::count(line.begin(), line.end(), b);
    });
  };
  if (extension != ".csv") return likeliest("\t,;|");
  // Where the comma is the decimal sign, a .csv has semicolons.
  return line.find(',') != std::string::npos ? ',' : likeliest(",;\t");
}

std::vector<int> find_columns(const fs::path& path, const std::vector<std::string>& known,
                              std::span<const std::string> wanted) {
  std::vector<int> indices;
  for (const std::string& name : wanted) {
    const auto place = std::find(known.begin(), known.end(), name);
    if (place == known.end()) {
      throw InputError(fmt::format("{}: no column '{}'; the columns are: {}", path.string(), name,
                                   fmt::join(known, ", ")));
    }
    indices.push_back(static_cast<int>(place - known.begin()));
  }
  return indices;
}

}  // namespace

struct TableBlock::Impl {
  bool plain = false;
  PlainBlock text;                            ///< if plain
  std::shared_ptr<arrow::RecordBatch> batch;  ///< otherwise; null if only malformed rows are left
  std::vector<MalformedRow> malformed;
  std::int64_t num_lines = 0;
  bool taken = false;
  std::vector<CellStore> stores;
  std::vector<std::uint32_t> ends;
};

TableBlock::TableBlock() : impl_(std::make_unique<Impl>()) {}
TableBlock::~TableBlock() = default;
TableBlock::TableBlock(TableBlock&&) noexcept = default;
TableBlock& TableBlock::operator=(TableBlock&&) noexcept = default;

struct TableReader::Impl {
  fs::path path;
  TableReadOptions options;
  std::vector<std::string> columns;  ///< asked for
  std::unique_ptr<PlainTextReader> plain;
  std::size_t num_fields = 0;  ///< of plain text
  std::shared_ptr<arrow::RecordBatchReader> reader;
  std::unique_ptr<parquet::arrow::FileReader> parquet_reader;  // owns what `reader` reads from
  std::vector<bool> timestamps;
  std::vector<int> fields;      ///< plain text: field of the file for each column asked for
  std::vector<int> order;       ///< Arrow: column of the batch for each column asked for
  std::int64_t next_line = 1;   ///< next(): of the next batch
  std::int64_t arrow_line = 0;  ///< of the next block in Arrow's count
  std::mutex mutex;
  std::vector<MalformedRow> malformed;  ///< found by the parser, which may be ahead of the batches
  TableBlock block;                     ///< next(): where the batch lies
  std::future<arrow::Result<std::shared_ptr<arrow::RecordBatch>>>
      ahead;  ///< last member: its destructor waits

  /// The next block, null at the end; the block behind it is read meanwhile.
  std::shared_ptr<arrow::RecordBatch> read_ahead() {
    const auto read = [this] { return reader->Next(); };
    if (!ahead.valid()) ahead = std::async(std::launch::async, read);
    std::shared_ptr<arrow::RecordBatch> batch = take(ahead.get(), path);
    if (batch != nullptr) ahead = std::async(std::launch::async, read);
    return batch;
  }

  /// Hands over what the parser left out before the line that follows the block.
  void assign_left_out(TableBlock::Impl& to) {
    const std::lock_guard lock(mutex);
    std::int64_t end = arrow_line + to.num_lines;
    const auto first = malformed.begin();
    auto row = first;
    for (; row != malformed.end() && (to.batch == nullptr || row->line < end); ++row, ++end)
      to.malformed.push_back({row->line - arrow_line, row->expected_fields, row->found_fields});
    malformed.erase(first, row);
    to.num_lines = end - arrow_line;
    arrow_line = end;
  }

  void open_text(FileKind kind) {
    const std::vector<std::string> known = table_columns(path, options);
    fields = find_columns(path, known, columns);
    timestamps.assign(columns.size(), false);
    options.separator = find_separator(path, kind, options);
    num_fields = known.size();
    if (kind == FileKind::text) {
      plain = std::make_unique<PlainTextReader>(path, options.header, options.quote);
    } else {
      open_with_arrow(kind, known, 0);
    }
  }

  /// Reads from a place of the file on through Arrow; from the start of a line.
  void open_with_arrow(FileKind kind, const std::vector<std::string>& known, std::int64_t offset) {
    auto read = arrow::csv::ReadOptions::Defaults();
    read.block_size = kTextBlock;
    read.column_names = known;
    read.skip_rows = options.header && offset == 0 ? 1 : 0;
    read.use_threads =
        false;  // only then are rows counted; read_ahead() overlaps parsing with our own work
    auto parse = arrow::csv::ParseOptions::Defaults();
    parse.delimiter = options.separator;
    parse.quote_char = options.quote;
    parse.newlines_in_values = true;
    parse.ignore_empty_lines = false;  // they would not be counted; TextBatch::is_blank finds them
    parse.invalid_row_handler = [this](const arrow::csv::InvalidRow& row) {
      const std::lock_guard lock(mutex);
      malformed.push_back({row.number, row.expected_columns, row.actual_columns});
      return arrow::csv::InvalidRowResult::Skip;
    };
    auto convert = arrow::csv::ConvertOptions::Defaults();
    convert.check_utf8 = false;  // ids are checked once each, when they enter a dictionary
    convert.strings_can_be_null = false;
    for (const std::string& name : columns) {
      if (std::find(convert.include_columns.begin(), convert.include_columns.end(), name) ==
          convert.include_columns.end()) {
        convert.include_columns.push_back(name);
      }
      convert.column_types[name] = arrow::utf8();
    }
    arrow_line = 1 + read.skip_rows;
    auto made = arrow::csv::StreamingReader::Make(
        arrow::io::default_io_context(), open_stream(path, kind, offset), read, parse, convert);
    if (!made.ok() && made.status().message().find("Empty CSV file") != std::string::npos)
      return;  // a header and nothing else
    reader = take(std::move(made), path);
    order = find_columns(path, reader->schema()->field_names(), columns);
  }

  void open_parquet() {
    auto file =
        take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
    try {
      parquet_reader = take(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
    } catch (const parquet::ParquetException& error) {
      throw InputError(
          fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
    }
    parquet_reader->set_use_threads(true);
    std::shared_ptr<arrow::Schema> schema;
    check(parquet_reader->GetSchema(&schema), path);
    const std::vector<int> columns_of_file = find_columns(path, schema->field_names(), columns);
    // Leaf columns of the chosen top-level fields.
    std::vector<int> leaves;
    const auto& descriptor = *parquet_reader->parquet_reader()->metadata()->schema();
    for (int leaf = 0; leaf < descriptor.num_columns(); ++leaf) {
      const std::string root = descriptor.GetColumnRoot(leaf)->name();
      if (std::find(columns.begin(), columns.end(), root) != columns.end()) leaves.push_back(leaf);
    }
    std::vector<int> groups(static_cast<std::size_t>(parquet_reader->num_row_groups()));
    for (std::size_t g = 0; g < groups.size(); ++g) groups[g] = static_cast<int>(g);
    reader = take(parquet_reader->GetRecordBatchReader(groups, leaves), path);
    order = find_columns(path, reader->schema()->field_names(), columns);
    for (const int field : columns_of_file)
      timestamps.push_back(schema->field(field)->type()->id() == arrow::Type::TIMESTAMP);
  }
};

TableReader::TableReader(const fs::path& path, const TableReadOptions& options,
                         std::span<const std::string> columns)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->options = options;
  impl_->columns.assign(columns.begin(), columns.end());
  const FileKind kind = file_kind(path);
  if (kind == FileKind::parquet) {
    impl_->open_parquet();
  } else {
    impl_->open_text(kind);
  }
  impl_->next_line = first_line();
}

TableReader::~TableReader() = default;
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;

bool TableReader::fetch(TableBlock& block) {
  Impl& impl = *impl_;
  TableBlock::Impl& to = *block.impl_;
  to.taken = false;
  to.malformed.clear();
  to.plain = impl.reader == nullptr && impl.plain != nullptr;
  if (to.plain) {
    const PlainTextReader::Found found = impl.plain->next(to.text);
    if (found != PlainTextReader::Found::other_text) return found == PlainTextReader::Found::lines;
    to.plain = false;
    impl.open_with_arrow(FileKind::text, table_columns(impl.path, impl.options),
                         impl.plain->offset());
  }
  if (impl.reader == nullptr) return false;
  try {
    to.batch = impl.read_ahead();
  } catch (const parquet::ParquetException& error) {
    throw InputError(fmt::format("{}: damaged Parquet file: {}", impl.path.string(), error.what()));
  }
  to.num_lines = to.batch == nullptr ? 0 : to.batch->num_rows();
  impl.assign_left_out(to);
  return to.batch != nullptr || !to.malformed.empty();
}

bool TableReader::split(TableBlock& block, TextBatch& batch, std::size_t most_bytes) const {
  const Impl& impl = *impl_;
  TableBlock::Impl& from = *block.impl_;
  batch.columns.resize(impl.columns.size());
  batch.malformed.clear();
  batch.num_rows = 0;
  if (from.plain) {
    return split_plain_lines(from.text, {impl.options.separator, impl.num_fields, impl.fields},
                             most_bytes, from.ends, batch);
  }
  if (from.taken) return false;
  from.taken = true;
  from.stores.resize(impl.columns.size());
  batch.first_line = 0;
  batch.malformed = from.malformed;
  if (from.batch == nullptr) return true;
  batch.num_rows = from.batch->num_rows();
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    from.stores[c].clear();
    batch.columns[c].clear();
    batch.columns[c].reserve(static_cast<std::size_t>(batch.num_rows));
    append_cells(*from.batch->column(impl.order[c]), impl.path, batch.columns[c], from.stores[c]);
  }
  return true;
}

bool TableReader::next(TextBatch& batch) {
  Impl& impl = *impl_;
  batch.columns.assign(impl.columns.size(), {});
  batch.malformed.clear();
  batch.num_rows = 0;
  batch.first_line = impl.next_line;
  do {
    if (!fetch(impl.block)) return false;
  } while (!split(impl.block, batch, std::numeric_limits<std::size_t>::max()));
  batch.first_line = impl.next_line;
  for (MalformedRow& row : batch.malformed) row.line += impl.next_line;
  impl.next_line += batch.num_rows + static_cast<std::int64_t>(batch.malformed.size());
  return true;
}

std::size_t TableReader::expected_blocks() const {
  return impl_->plain == nullptr ? 0 : fs::file_size(impl_->path) / kTextBlock + 1;
}

std::int64_t TableReader::first_line() const {
  return impl_->parquet_reader == nullptr && impl_->options.header ? 2 : 1;
}

std::string TableReader::hash() const {
  const bool whole = impl_->plain != nullptr && impl_->reader == nullptr;
  return whole ? impl_->plain->hash() : std::string();
}

bool TableReader::is_timestamp(std::size_t column) const {
  return column < impl_->timestamps.size() && impl_->timestamps[column];
}

std::vector<std::string> table_columns(const fs::path& path, const TableReadOptions& options) {
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
      throw InputError(
          fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
    }
  }
  std::string line = first_line(path, kind);
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // byte order mark
  if (line.empty())
    throw InputError(fmt::format("{}:1: the first line is empty, expected {}", path.string(),
                                 options.header ? "a header" : "data"));
  const char separator = find_separator(path, kind, options);
  std::vector<std::string> names = {""};
  bool quoted = false;
  for (const char c : line) {
    if (c == options.quote) {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  if (!options.header) {
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i + 1);
  }
  return names;
}

std::string arrow_version() { return arrow::GetBuildInfo().version_string; }

}  // namespace penchant::pipeline
