// SPDX-License-Identifier: Apache-2.0
// The only file that includes Arrow.
#include "pipeline/tables.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <future>
#include <limits>
#include <mutex>
#include <type_traits>

#include <arrow/api.h>
#include <arrow/config.h>
#include <arrow/csv/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <arrow/util/float16.h>
#include <arrow/util/thread_pool.h>
#include <fmt/core.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::int32_t kCsvBlock = 4 << 20;

enum class FileKind { text, gzip, zstd, parquet };

/// Recognises a file by its first bytes.
FileKind file_kind(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, error))
    throw InputError(fmt::format("{}: is a directory, expected a file", path.string()));
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

[[noreturn]] void fail(const fs::path& path, const arrow::Status& status) {
  if (status.IsOutOfMemory()) throw std::bad_alloc();
  std::string reason = status.message();
  if (status.detail() != nullptr)
    reason += fmt::format(" {}", status.detail()->ToString());  // errno in words
  if (reason.find("runcated compressed stream") != std::string::npos)
    reason = "the compressed file is cut off";
  throw InputError(fmt::format("{}: {}", path.string(), reason));
}

template <typename T>
T take(arrow::Result<T> result, const fs::path& path) {
  if (!result.ok()) fail(path, result.status());
  return std::move(result).ValueUnsafe();
}

void check(const arrow::Status& status, const fs::path& path) {
  if (!status.ok()) fail(path, status);
}

std::shared_ptr<arrow::io::InputStream> open_stream(const fs::path& path, FileKind kind) {
  std::shared_ptr<arrow::io::InputStream> file =
      take(arrow::io::ReadableFile::Open(path.string()), path);
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
  if (extension == ".csv") return ',';
  if (extension == ".tsv") return '\t';
  const std::string line = first_line(path, kind);
  constexpr std::string_view kCandidates = "\t,;|";
  return *std::max_element(kCandidates.begin(), kCandidates.end(), [&](char a, char b) {
    return std::count(line.begin(), line.end(), a) < std::count(line.begin(), line.end(), b);
  });
}

/// A plain file without a single quote character has no quoted line breaks, and Arrow may cut it
/// into blocks at any newline.
bool may_quote_newlines(const fs::path& path, FileKind kind, char quote) {
  if (kind != FileKind::text) return true;
  auto file =
      take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
  const auto size = take(file->GetSize(), path);
  const auto buffer = take(file->ReadAt(0, size), path);
  madvise(const_cast<std::uint8_t*>(buffer->data()), static_cast<std::size_t>(size),
          MADV_SEQUENTIAL);
  return std::memchr(buffer->data(), quote, static_cast<std::size_t>(size)) != nullptr;
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

/// Text of cells that are not text already. Views stay valid because pieces are only appended and
/// never reallocated.
class CellStore {
 public:
  void clear() { used_ = 0, block_ = 0; }
  std::string_view add(std::string_view text) {
    constexpr std::size_t kBlock = std::size_t{1} << 20;
    if (blocks_.empty() || used_ + text.size() > blocks_[block_].size()) {
      if (!blocks_.empty()) ++block_;
      if (block_ >= blocks_.size()) blocks_.emplace_back();
      if (blocks_[block_].size() < std::max(kBlock, text.size()))
        blocks_[block_].resize(std::max(kBlock, text.size()));
      used_ = 0;
    }
    char* place = blocks_[block_].data() + used_;
    std::copy(text.begin(), text.end(), place);
    used_ += text.size();
    return {place, text.size()};
  }

 private:
  std::vector<std::vector<char>> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

std::int64_t to_milliseconds(std::int64_t value, arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return value * 1000;
    case arrow::TimeUnit::MILLI:
      return value;
    case arrow::TimeUnit::MICRO:
      return value / 1000;
    case arrow::TimeUnit::NANO:
      return value / 1000000;
  }
  return value;
}

/// A double as the shortest text that reads back the same; whole numbers without ".0", so that
/// 17850.0 and 17850 are one id.
std::string_view format_double(double value, std::array<char, 64>& buffer) {
  std::to_chars_result result{};
  if (std::trunc(value) == value && std::abs(value) < 9007199254740992.0) {
    result = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                           static_cast<std::int64_t>(value));
  } else {
    result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  }
  return {buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())};
}

template <typename ArrayType>
void text_cells(const arrow::Array& array, std::vector<std::string_view>& cells) {
  const auto& strings = static_cast<const ArrayType&>(array);
  for (std::int64_t i = 0; i < array.length(); ++i) {
    cells.push_back(strings.IsNull(i) ? std::string_view{} : std::string_view(strings.GetView(i)));
    if (!strings.IsNull(i) && cells.back().data() == nullptr)
      cells.back() = std::string_view("", 0);
  }
}

template <typename ArrayType>
void number_cells(const arrow::Array& array, std::vector<std::string_view>& cells,
                  CellStore& store) {
  const auto& numbers = static_cast<const ArrayType&>(array);
  std::array<char, 64> buffer{};
  for (std::int64_t i = 0; i < array.length(); ++i) {
    if (numbers.IsNull(i)) {
      cells.emplace_back();
      continue;
    }
    const auto value = numbers.Value(i);
    if constexpr (std::is_floating_point_v<decltype(value)>) {
      cells.push_back(std::isnan(value)
                          ? std::string_view{}
                          : store.add(format_double(static_cast<double>(value), buffer)));
    } else {
      const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                        static_cast<std::int64_t>(value));
      cells.push_back(
          store.add({buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())}));
    }
  }
}

void append_cells(const arrow::Array& array, const fs::path& path,
                  std::vector<std::string_view>& cells, CellStore& store);

template <typename ArrayType>
void list_cells(const arrow::Array& array, const fs::path& path,
                std::vector<std::string_view>& cells, CellStore& store) {
  const auto& lists = static_cast<const ArrayType&>(array);
  std::vector<std::string_view> elements;
  append_cells(*lists.values(), path, elements, store);
  std::string joined;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    joined.clear();
    if (!lists.IsNull(i)) {
      for (std::int64_t e = lists.value_offset(i);
           e < lists.value_offset(i) + lists.value_length(i); ++e) {
        joined += kListSeparator;  // before each element, so that a list of one is known as a list
        joined += elements[static_cast<std::size_t>(e)];
      }
    }
    cells.push_back(lists.IsNull(i) ? std::string_view{} : store.add(joined));
  }
}

/// Appends the cells of one array of any supported type as text.
void append_cells(const arrow::Array& array, const fs::path& path,
                  std::vector<std::string_view>& cells, CellStore& store) {
  std::array<char, 64> buffer{};
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return text_cells<arrow::StringArray>(array, cells);
    case arrow::Type::LARGE_STRING:
      return text_cells<arrow::LargeStringArray>(array, cells);
    case arrow::Type::BINARY:
      return text_cells<arrow::BinaryArray>(array, cells);
    case arrow::Type::INT8:
      return number_cells<arrow::Int8Array>(array, cells, store);
    case arrow::Type::INT16:
      return number_cells<arrow::Int16Array>(array, cells, store);
    case arrow::Type::INT32:
      return number_cells<arrow::Int32Array>(array, cells, store);
    case arrow::Type::INT64:
      return number_cells<arrow::Int64Array>(array, cells, store);
    case arrow::Type::UINT8:
      return number_cells<arrow::UInt8Array>(array, cells, store);
    case arrow::Type::UINT16:
      return number_cells<arrow::UInt16Array>(array, cells, store);
    case arrow::Type::UINT32:
      return number_cells<arrow::UInt32Array>(array, cells, store);
    case arrow::Type::FLOAT:
      return number_cells<arrow::FloatArray>(array, cells, store);
    case arrow::Type::DOUBLE:
      return number_cells<arrow::DoubleArray>(array, cells, store);
    case arrow::Type::LIST:
      return list_cells<arrow::ListArray>(array, path, cells, store);
    case arrow::Type::LARGE_LIST:
      return list_cells<arrow::LargeListArray>(array, path, cells, store);
    case arrow::Type::TIMESTAMP: {
      const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
      const auto& times = static_cast<const arrow::TimestampArray&>(array);
      for (std::int64_t i = 0; i < array.length(); ++i) {
        const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                          to_milliseconds(times.Value(i), unit));
        cells.push_back(
            times.IsNull(i)
                ? std::string_view{}
                : store.add({buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())}));
      }
      return;
    }
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      std::vector<std::string_view> values;
      append_cells(*coded.dictionary(), path, values, store);
      for (std::int64_t i = 0; i < array.length(); ++i) {
        cells.push_back(coded.IsNull(i) ? std::string_view{}
                                        : values[static_cast<std::size_t>(coded.GetValueIndex(i))]);
      }
      return;
    }
    case arrow::Type::UINT64:
    default:
      // Rare types (64-bit unsigned, decimals, dates): Arrow's own text.
      for (std::int64_t i = 0; i < array.length(); ++i) {
        const auto scalar = take(array.GetScalar(i), path);
        cells.push_back(scalar->is_valid ? store.add(scalar->ToString()) : std::string_view{});
      }
  }
}

}  // namespace

struct TableReader::Impl {
  fs::path path;
  std::shared_ptr<arrow::RecordBatchReader> reader;
  std::unique_ptr<parquet::arrow::FileReader> parquet_reader;  // owns what `reader` reads from
  std::vector<bool> timestamps;
  std::vector<int> order;  ///< column of the batch for each column asked for
  std::shared_ptr<arrow::RecordBatch> current;
  std::vector<CellStore> stores;
  std::int64_t next_line = 1;
  std::mutex mutex;
  std::vector<MalformedRow> malformed;  ///< found by the parser, which may be ahead of the batches
  std::future<arrow::Result<std::shared_ptr<arrow::RecordBatch>>>
      ahead;  ///< last member: its destructor waits

  /// The next block, null at the end; the block behind it is read meanwhile.
  std::shared_ptr<arrow::RecordBatch> read_ahead() {
    const auto read = [this] { return reader->Next(); };
    if (!ahead.valid()) ahead = std::async(std::launch::async, read);
    std::shared_ptr<arrow::RecordBatch> block = take(ahead.get(), path);
    if (block != nullptr) ahead = std::async(std::launch::async, read);
    return block;
  }

  /// Hands over what the parser left out before the line that follows the batch, and moves
  /// next_line behind it.
  void assign_left_out(TextBatch& batch, bool last) {
    const std::lock_guard lock(mutex);
    std::int64_t end = next_line + batch.num_rows;
    const auto first = malformed.begin();
    auto row = first;
    for (; row != malformed.end() && (last || row->line < end); ++row, ++end)
      batch.malformed.push_back(*row);
    malformed.erase(first, row);
    next_line = end;
  }

  void open_text(FileKind kind, const TableReadOptions& options,
                 std::span<const std::string> columns) {
    const std::vector<std::string> known = table_columns(path, options);
    find_columns(path, known, columns);
    auto read = arrow::csv::ReadOptions::Defaults();
    read.block_size = kCsvBlock;
    read.column_names = known;
    read.skip_rows = options.header ? 1 : 0;
    read.use_threads =
        false;  // only then are rows counted; read_ahead() overlaps parsing with our own work
    auto parse = arrow::csv::ParseOptions::Defaults();
    parse.delimiter = find_separator(path, kind, options);
    parse.quote_char = options.quote;
    parse.newlines_in_values = may_quote_newlines(path, kind, options.quote);
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
    next_line = options.header ? 2 : 1;
    auto made = arrow::csv::StreamingReader::Make(arrow::io::default_io_context(),
                                                  open_stream(path, kind), read, parse, convert);
    if (!made.ok() && made.status().message().find("Empty CSV file") != std::string::npos)
      return;  // a header and nothing else
    reader = take(std::move(made), path);
    order = find_columns(path, reader->schema()->field_names(), columns);
    timestamps.assign(columns.size(), false);
  }

  void open_parquet(std::span<const std::string> columns) {
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
    const std::vector<int> fields = find_columns(path, schema->field_names(), columns);
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
    for (const int field : fields)
      timestamps.push_back(schema->field(field)->type()->id() == arrow::Type::TIMESTAMP);
  }
};

TableReader::TableReader(const fs::path& path, const TableReadOptions& options,
                         std::span<const std::string> columns)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->stores.resize(columns.size());
  const FileKind kind = file_kind(path);
  if (kind == FileKind::parquet) {
    impl_->open_parquet(columns);
  } else {
    impl_->open_text(kind, options, columns);
  }
}

TableReader::~TableReader() = default;
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;

bool TableReader::next(TextBatch& batch) {
  Impl& impl = *impl_;
  batch.columns.assign(impl.stores.size(), {});
  batch.malformed.clear();
  batch.num_rows = 0;
  batch.first_line = impl.next_line;
  if (impl.reader == nullptr) return false;
  try {
    impl.current = impl.read_ahead();
  } catch (const parquet::ParquetException& error) {
    throw InputError(fmt::format("{}: damaged Parquet file: {}", impl.path.string(), error.what()));
  }
  if (impl.current != nullptr) batch.num_rows = impl.current->num_rows();
  impl.assign_left_out(batch, impl.current == nullptr);
  if (impl.current == nullptr) return !batch.malformed.empty();
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    impl.stores[c].clear();
    batch.columns[c].reserve(static_cast<std::size_t>(batch.num_rows));
    append_cells(*impl.current->column(impl.order[c]), impl.path, batch.columns[c], impl.stores[c]);
  }
  return true;
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

// --- writing
// --------------------------------------------------------------------------------------------------------

namespace {

template <typename Builder>
std::shared_ptr<arrow::Array> finish(Builder& builder, const fs::path& path) {
  return take(builder.Finish(), path);
}

struct ToArrow {
  const fs::path& path;
  std::int64_t num_rows;

  std::shared_ptr<arrow::Array> operator()(const std::vector<std::string_view>& texts) const {
    arrow::StringBuilder builder;
    for (const std::string_view text : texts) check(builder.Append(text), path);
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const ListColumn& lists) const {
    const auto values = std::make_shared<arrow::StringBuilder>();
    arrow::ListBuilder builder(arrow::default_memory_pool(), values);
    for (std::int64_t row = 0; row < num_rows; ++row) {
      check(builder.Append(), path);
      for (auto e = lists.offsets[static_cast<std::size_t>(row)];
           e < lists.offsets[static_cast<std::size_t>(row) + 1]; ++e) {
        check(values->Append(lists.elements[static_cast<std::size_t>(e)]), path);
      }
    }
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const Int64Column& integers) const {
    arrow::Int64Builder builder;
    for (const std::int64_t value : integers.values) {
      check(value == integers.null_value ? builder.AppendNull() : builder.Append(value), path);
    }
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const std::vector<float>& numbers) const {
    arrow::FloatBuilder builder;
    for (const float value : numbers)
      check(std::isnan(value) ? builder.AppendNull() : builder.Append(value), path);
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const VectorColumn& vectors) const {
    std::shared_ptr<arrow::Array> flat;
    if (vectors.half) {
      arrow::HalfFloatBuilder builder;
      check(builder.Reserve(num_rows * vectors.cols), path);
      for (std::int64_t row = 0; row < num_rows; ++row) {
        for (std::int64_t j = 0; j < vectors.cols; ++j) {
          builder.UnsafeAppend(arrow::util::Float16(vectors.data[row * vectors.stride + j]).bits());
        }
      }
      flat = finish(builder, path);
    } else {
      arrow::FloatBuilder builder;
      check(builder.Reserve(num_rows * vectors.cols), path);
      for (std::int64_t row = 0; row < num_rows; ++row) {
        check(builder.AppendValues(vectors.data + row * vectors.stride, vectors.cols), path);
      }
      flat = finish(builder, path);
    }
    return take(
        arrow::FixedSizeListArray::FromArrays(flat, static_cast<std::int32_t>(vectors.cols)), path);
  }
};

}  // namespace

struct ParquetWriter::Impl {
  fs::path path;
  fs::path partial;
  std::shared_ptr<arrow::io::FileOutputStream> file;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  bool closed = false;
};

ParquetWriter::ParquetWriter(const fs::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->partial = path.string() + ".partial";
  impl_->file = take(arrow::io::FileOutputStream::Open(impl_->partial.string()), path);
}

ParquetWriter::~ParquetWriter() {
  if (impl_->closed) return;
  impl_->writer.reset();
  impl_->file.reset();
  std::error_code ignored;
  fs::remove(impl_->partial, ignored);
}

void ParquetWriter::write(std::int64_t num_rows, const std::vector<OutputColumn>& columns) {
  Impl& impl = *impl_;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrow::FieldVector fields;
  for (const OutputColumn& column : columns) {
    arrays.push_back(std::visit(ToArrow{impl.path, num_rows}, column.values));
    PENCHANT_ASSERT(arrays.back()->length() == num_rows);
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  const auto batch = arrow::RecordBatch::Make(arrow::schema(fields), num_rows, arrays);
  try {
    if (impl.writer == nullptr) {
      const auto properties =
          parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
      const auto arrow_properties =
          parquet::ArrowWriterProperties::Builder().store_schema()->build();
      impl.writer =
          take(parquet::arrow::FileWriter::Open(*batch->schema(), arrow::default_memory_pool(),
                                                impl.file, properties, arrow_properties),
               impl.path);
    }
    check(impl.writer->WriteRecordBatch(*batch), impl.path);
  } catch (const parquet::ParquetException& error) {
    throw InputError(fmt::format("{}: cannot write: {}", impl.path.string(), error.what()));
  }
}

void ParquetWriter::close() {
  Impl& impl = *impl_;
  PENCHANT_ASSERT(impl.writer != nullptr && !impl.closed);
  try {
    check(impl.writer->Close(), impl.path);
    check(impl.file->Close(), impl.path);
  } catch (const parquet::ParquetException& error) {
    throw InputError(fmt::format("{}: cannot write: {}", impl.path.string(), error.what()));
  }
  std::error_code error;
  fs::rename(impl.partial, impl.path, error);
  if (error)
    throw InputError(fmt::format("{}: cannot rename the finished file into place: {}",
                                 impl.path.string(), error.message()));
  impl.closed = true;
}

std::string arrow_version() { return arrow::GetBuildInfo().version_string; }

}  // namespace penchant::pipeline
