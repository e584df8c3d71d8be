// SPDX-License-Identifier: Apache-2.0
// Writing Parquet.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/float16.h>
#include <fmt/core.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

template <typename Builder>
std::shared_ptr<arrow::Array> finish(Builder& builder, const fs::path& path) {
  return take(builder.Finish(), path);
}

/// Rows [first, first + num_rows) of a column.
struct ToArrow {
  const fs::path& path;
  std::int64_t first;
  std::int64_t num_rows;

  template <typename Values>
  auto rows_of(const Values& values) const {
    return std::span(values).subspan(static_cast<std::size_t>(first),
                                     static_cast<std::size_t>(num_rows));
  }

  std::shared_ptr<arrow::Array> operator()(const std::vector<std::string_view>& texts) const {
    arrow::StringBuilder builder;
    std::int64_t bytes = 0;
    for (const std::string_view text : rows_of(texts))
      bytes += static_cast<std::int64_t>(text.size());
    check(builder.Reserve(num_rows), path);
    check(builder.ReserveData(bytes), path);
    for (const std::string_view text : rows_of(texts)) check(builder.Append(text), path);
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const ListColumn& lists) const {
    const auto values = std::make_shared<arrow::StringBuilder>();
    arrow::ListBuilder builder(arrow::default_memory_pool(), values);
    for (std::int64_t row = first; row < first + num_rows; ++row) {
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
    for (const std::int64_t value : rows_of(integers.values)) {
      check(value == integers.null_value ? builder.AppendNull() : builder.Append(value), path);
    }
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const std::vector<float>& numbers) const {
    arrow::FloatBuilder builder;
    check(builder.Reserve(num_rows), path);
    for (const float value : rows_of(numbers))
      check(std::isnan(value) ? builder.AppendNull() : builder.Append(value), path);
    return finish(builder, path);
  }
  std::shared_ptr<arrow::Array> operator()(const VectorColumn& vectors) const {
    std::shared_ptr<arrow::Array> flat;
    if (vectors.half) {
      arrow::HalfFloatBuilder builder;
      check(builder.Reserve(num_rows * vectors.cols), path);
      for (std::int64_t row = first; row < first + num_rows; ++row) {
        for (std::int64_t j = 0; j < vectors.cols; ++j) {
          builder.UnsafeAppend(arrow::util::Float16(vectors.data[row * vectors.stride + j]).bits());
        }
      }
      flat = finish(builder, path);
    } else {
      arrow::FloatBuilder builder;
      check(builder.Reserve(num_rows * vectors.cols), path);
      for (std::int64_t row = first; row < first + num_rows; ++row) {
        check(builder.AppendValues(vectors.data + row * vectors.stride, vectors.cols), path);
      }
      flat = finish(builder, path);
    }
    return take(
        arrow::FixedSizeListArray::FromArrays(flat, static_cast<std::int32_t>(vectors.cols)), path);
  }
};

/// Bytes of text in rows [first, last) of a column.
struct TextBytes {
  std::int64_t first;
  std::int64_t last;

  std::int64_t operator()(const std::vector<std::string_view>& texts) const {
    return sum(texts, first, last);
  }
  std::int64_t operator()(const ListColumn& lists) const {
    return sum(lists.elements, lists.offsets[static_cast<std::size_t>(first)],
               lists.offsets[static_cast<std::size_t>(last)]);
  }
  template <typename Other>
  std::int64_t operator()(const Other&) const {
    return 0;
  }
  static std::int64_t sum(const std::vector<std::string_view>& texts, std::int64_t from,
                          std::int64_t to) {
    std::int64_t bytes = 0;
    for (std::int64_t i = from; i < to; ++i)
      bytes += static_cast<std::int64_t>(texts[static_cast<std::size_t>(i)].size());
    return bytes;
  }
};

/// Rows [first, first + num_rows) of columns.
std::shared_ptr<arrow::RecordBatch> batch_of(const fs::path& path, std::int64_t first,
                                             std::int64_t num_rows,
                                             const std::vector<OutputColumn>& columns) {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrow::FieldVector fields;
  for (const OutputColumn& column : columns) {
    arrays.push_back(std::visit(ToArrow{path, first, num_rows}, column.values));
    PENCHANT_ASSERT(arrays.back()->length() == num_rows);
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), num_rows, arrays);
}

/// Calls `write(first, last)` for blocks of rows, in order, of which no column's text passes a
/// bound: Arrow's offsets have 32 bits.
template <typename Write>
void for_each_block(std::int64_t num_rows, const std::vector<OutputColumn>& columns,
                    std::int64_t most_text_bytes, Write write) {
  std::vector<std::pair<std::int64_t, std::int64_t>> blocks = {{0, num_rows}};
  while (!blocks.empty()) {
    const auto [first, last] = blocks.back();
    blocks.pop_back();
    const bool fits = std::all_of(
        columns.begin(), columns.end(), [first, last, most_text_bytes](const OutputColumn& column) {
          return std::visit(TextBytes{first, last}, column.values) <= most_text_bytes;
        });
    if (fits || last - first <= 1) {
      write(first, last);
      continue;
    }
    const std::int64_t middle = first + (last - first) / 2;
    blocks.emplace_back(middle, last);
    blocks.emplace_back(first, middle);
  }
}

}  // namespace

Frame make_frame(std::int64_t num_rows, const std::vector<OutputColumn>& columns) {
  Frame frame;
  frame.num_rows = num_rows;
  for_each_block(num_rows, columns, std::int64_t{1} << 30,
                 [&](std::int64_t first, std::int64_t last) {
                   frame.batches.push_back(batch_of("table", first, last - first, columns));
                 });
  return frame;
}

struct ParquetWriter::Impl {
  Impl(const fs::path& to, std::int64_t most) : path(to), most_text_bytes(most), target(to) {}

  void write_batch(const std::shared_ptr<arrow::RecordBatch>& batch);

  fs::path path;
  std::int64_t most_text_bytes;
  graph::NewFile target;
  std::shared_ptr<arrow::io::FileOutputStream> file;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  bool closed = false;
};

ParquetWriter::ParquetWriter(const fs::path& path, std::int64_t most_text_bytes)
    : impl_(std::make_unique<Impl>(path, most_text_bytes)) {
  // Arrow closes what it is given.
  const int copy = fcntl(impl_->target.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    throw InputError(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
  impl_->file = take(arrow::io::FileOutputStream::Open(copy), path);
}

ParquetWriter::~ParquetWriter() {
  if (impl_->closed) return;
  impl_->writer.reset();
  impl_->file.reset();
}

void ParquetWriter::write(std::int64_t num_rows, const std::vector<OutputColumn>& columns) {
  for_each_block(num_rows, columns, impl_->most_text_bytes,
                 [&](std::int64_t first, std::int64_t last) {
                   impl_->write_batch(batch_of(impl_->path, first, last - first, columns));
                 });
}

void ParquetWriter::write(const std::shared_ptr<arrow::RecordBatch>& batch) {
  impl_->write_batch(batch);
}

void ParquetWriter::Impl::write_batch(const std::shared_ptr<arrow::RecordBatch>& batch) {
  Impl& impl = *this;
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
    throw_if_refused(impl.path, error.what());
    throw InputError(fmt::format("{}: cannot write: {}", impl.path.string(), error.what()));
  }
}

void ParquetWriter::close(graph::Flush flush) {
  Impl& impl = *impl_;
  PENCHANT_ASSERT(impl.writer != nullptr && !impl.closed);
  try {
    check(impl.writer->Close(), impl.path);
    check(impl.file->Close(), impl.path);
  } catch (const parquet::ParquetException& error) {
    throw_if_refused(impl.path, error.what());
    throw InputError(fmt::format("{}: cannot write: {}", impl.path.string(), error.what()));
  }
  impl.target.commit(flush);
  impl.closed = true;
}

}  // namespace penchant::pipeline
