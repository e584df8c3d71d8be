// SPDX-License-Identifier: Apache-2.0
// Writing Parquet.
#include <cmath>

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/float16.h>
#include <fmt/core.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include "graph/error.h"
#include "pipeline/arrow_status.h"
#include "pipeline/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

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
    std::int64_t bytes = 0;
    for (const std::string_view text : texts) bytes += static_cast<std::int64_t>(text.size());
    check(builder.Reserve(num_rows), path);
    check(builder.ReserveData(bytes), path);
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
    check(builder.Reserve(num_rows), path);
    for (const std::int64_t value : integers.values) {
      check(value == integers.null_value ? builder.AppendNull() : builder.Append(value), path);
    }
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const std::vector<float>& numbers) const {
    arrow::FloatBuilder builder;
    check(builder.Reserve(num_rows), path);
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

}  // namespace penchant::pipeline
