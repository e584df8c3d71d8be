// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/vector_table.h"

#include <optional>

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/float16.h>
#include <fmt/core.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/arrow_cells.h"
#include "pipeline/tables/arrow_file.h"
#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

struct VectorTableWriter::Impl {
  Impl(fs::path to, VectorTableKind as, const VectorFacts& facts) : path(std::move(to)), kind(as) {
    std::vector<std::string> keys, values;
    for (const auto& [key, value] : facts) {
      keys.push_back(key);
      values.push_back(value);
    }
    metadata = arrow::key_value_metadata(keys, values);
    if (kind == VectorTableKind::parquet) parquet.emplace(path);
  }

  fs::path path;
  VectorTableKind kind;
  std::shared_ptr<const arrow::KeyValueMetadata> metadata;
  std::optional<ParquetWriter> parquet;
  std::optional<ArrowFileWriter> arrow;  ///< from the first block on, which has the schema
};

VectorTableWriter::VectorTableWriter(const fs::path& path, VectorTableKind kind, VectorFacts facts)
    : impl_(std::make_unique<Impl>(path, kind, facts)) {}
VectorTableWriter::~VectorTableWriter() = default;

void VectorTableWriter::write(std::vector<std::string_view> ids, const VectorColumn& vectors) {
  const auto num_rows = static_cast<std::int64_t>(ids.size());
  for (const auto& batch :
       make_frame(num_rows, {{"raw_id", std::move(ids)}, {"vector", vectors}}).batches) {
    const auto described = batch->ReplaceSchemaMetadata(impl_->metadata);
    if (impl_->parquet) {
      impl_->parquet->write(described);
      continue;
    }
    if (!impl_->arrow) impl_->arrow.emplace(impl_->path, described->schema());
    impl_->arrow->write(*described);
  }
}

void VectorTableWriter::commit() {
  if (impl_->parquet) return impl_->parquet->close();
  PENCHANT_ASSERT(impl_->arrow.has_value());
  impl_->arrow->commit();
}

namespace {

/// The numbers of a list, large list or list of fixed size.
std::shared_ptr<arrow::DataType> numbers_type(const arrow::DataType& type) {
  if (type.id() != arrow::Type::LIST && type.id() != arrow::Type::LARGE_LIST &&
      type.id() != arrow::Type::FIXED_SIZE_LIST)
    return nullptr;
  const auto& value = static_cast<const arrow::BaseListType&>(type).value_type();
  const bool known = value->id() == arrow::Type::HALF_FLOAT || value->id() == arrow::Type::FLOAT ||
                     value->id() == arrow::Type::DOUBLE;
  return known ? value : nullptr;
}

float number_at(const arrow::Array& numbers, std::int64_t i) {
  switch (numbers.type_id()) {
    case arrow::Type::HALF_FLOAT:
      return arrow::util::Float16::FromBits(
                 static_cast<const arrow::HalfFloatArray&>(numbers).Value(i))
          .ToFloat();
    case arrow::Type::FLOAT:
      return static_cast<const arrow::FloatArray&>(numbers).Value(i);
    default:
      return static_cast<float>(static_cast<const arrow::DoubleArray&>(numbers).Value(i));
  }
}

}  // namespace

struct VectorTableReader::Impl {
  Impl(fs::path from, VectorTableKind kind, std::string id, std::string vector)
      : path(std::move(from)), id_name(std::move(id)), vector_name(std::move(vector)) {
    const auto file =
        take(arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), path);
    kind == VectorTableKind::parquet ? open_parquet(file) : open_arrow(file);
  }

  /// Places of the two columns; what a vector is made of is checked.
  void find_columns(const arrow::Schema& schema) {
    const std::vector<std::string> names = schema.field_names();
    const auto find = [&](const std::string& name) {
      const int place = schema.GetFieldIndex(name);
      if (place >= 0) return place;
      throw InputError(fmt::format(
          "{}: no column '{}' (or two of them), expected {} and {}; the columns are: {}",
          path.string(), name, id_name, vector_name,
          printable(fmt::format("{}", fmt::join(names, ", ")))));
    };
    id_column = find(id_name);
    vector_column = find(vector_name);
    const arrow::DataType& type = *schema.field(vector_column)->type();
    const auto numbers = numbers_type(type);
    if (numbers == nullptr) {
      throw InputError(
          fmt::format("{}: column '{}' is of type {}, expected lists of float16, float32 or "
                      "float64",
                      path.string(), vector_name, type.ToString()));
    }
    number_type = numbers->id() == arrow::Type::HALF_FLOAT ? "float16"
                  : numbers->id() == arrow::Type::FLOAT    ? "float32"
                                                           : "float64";
  }

  void open_parquet(const std::shared_ptr<arrow::io::MemoryMappedFile>& file) {
    try {
      parquet = take(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
      std::shared_ptr<arrow::Schema> schema;
      check(parquet->GetSchema(&schema), path);
      find_columns(*schema);
      reader = take(parquet->GetRecordBatchReader(), path);
    } catch (const parquet::ParquetException& error) {
      throw_if_refused(path, error.what());
      throw InputError(
          fmt::format("{}: not a readable Parquet file: {}", path.string(), error.what()));
    }
  }
  void open_arrow(const std::shared_ptr<arrow::io::MemoryMappedFile>& file) {
    arrow_file = take(arrow::ipc::RecordBatchFileReader::Open(file), path);
    find_columns(*arrow_file->schema());
  }
  /// Null at the end.
  std::shared_ptr<arrow::RecordBatch> read() {
    try {
      if (reader != nullptr) return take(reader->Next(), path);
    } catch (const parquet::ParquetException& error) {
      throw_if_refused(path, error.what());
      throw InputError(fmt::format("{}: damaged: {}", path.string(), error.what()));
    }
    if (next_batch == arrow_file->num_record_batches()) return nullptr;
    auto batch = take(arrow_file->ReadRecordBatch(next_batch++), path);
    check(batch->ValidateFull(), path);
    return batch;
  }
  [[noreturn]] void refuse_null(const std::string& what, std::int64_t row) const {
    throw InputError(fmt::format("{}: the {} of row {} is null", path.string(), what, row + 1));
  }

  template <typename List>
  void append_lists(const List& lists, std::vector<float>& numbers,
                    std::vector<std::int64_t>& lengths) const {
    const arrow::Array& values = *lists.values();
    for (std::int64_t i = 0; i < lists.length(); ++i) {
      if (lists.IsNull(i)) {
        lengths.push_back(-1);
        continue;
      }
      const std::int64_t first = lists.value_offset(i);
      const std::int64_t length = lists.value_length(i);
      lengths.push_back(length);
      for (std::int64_t j = first; j < first + length; ++j) {
        if (values.IsNull(j)) refuse_null(vector_name, num_rows + i);
        numbers.push_back(number_at(values, j));
      }
    }
  }

  fs::path path;
  std::string id_name, vector_name;
  int id_column = 0, vector_column = 0;
  std::string number_type;
  std::unique_ptr<parquet::arrow::FileReader> parquet;
  std::shared_ptr<arrow::RecordBatchReader> reader;  ///< of Parquet
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> arrow_file;
  int next_batch = 0;
  std::int64_t num_rows = 0;  ///< read so far
  CellStore store;
};

VectorTableReader::VectorTableReader(const fs::path& path, VectorTableKind kind,
                                     const std::string& id_column, const std::string& vector_column)
    : impl_(std::make_unique<Impl>(path, kind, id_column, vector_column)) {}
VectorTableReader::~VectorTableReader() = default;

bool VectorTableReader::next(std::vector<std::string>& ids, std::vector<float>& numbers,
                             std::vector<std::int64_t>& lengths) {
  Impl& impl = *impl_;
  const auto batch = impl.read();
  if (batch == nullptr) return false;
  std::vector<std::string_view> cells;
  impl.store.clear();
  append_cells(*batch->column(impl.id_column), impl.path, cells, impl.store, {});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].data() == nullptr)
      impl.refuse_null("id", impl.num_rows + static_cast<std::int64_t>(i));
    ids.emplace_back(cells[i]);
  }
  const arrow::Array& vectors = *batch->column(impl.vector_column);
  if (vectors.type_id() == arrow::Type::LIST)
    impl.append_lists(static_cast<const arrow::ListArray&>(vectors), numbers, lengths);
  else if (vectors.type_id() == arrow::Type::LARGE_LIST)
    impl.append_lists(static_cast<const arrow::LargeListArray&>(vectors), numbers, lengths);
  else
    impl.append_lists(static_cast<const arrow::FixedSizeListArray&>(vectors), numbers, lengths);
  impl.num_rows += batch->num_rows();
  return true;
}

const std::string& VectorTableReader::number_type() const { return impl_->number_type; }

}  // namespace penchant::pipeline
