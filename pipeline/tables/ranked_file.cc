// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/ranked_file.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include <arrow/api.h>
#include <fmt/core.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/tables/arrow_file.h"
#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/csv_cell.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Rows as Arrow has them; repeated owners and items are stored once by what writes Parquet.
class RankedBatches {
 public:
  RankedBatches(fs::path path, const RankedColumns& columns, const RankedFacts& facts)
      : path_(std::move(path)) {
    std::vector<std::string> keys, values;
    for (const auto& [key, value] : facts) {
      keys.push_back(key);
      values.push_back(value);
    }
    schema_ = arrow::schema({arrow::field(columns.owner, arrow::utf8(), false),
                             arrow::field(columns.listed, arrow::utf8(), false),
                             arrow::field("score", arrow::float32(), false),
                             arrow::field("rank", arrow::int32(), false)},
                            arrow::key_value_metadata(keys, values));
  }
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  std::shared_ptr<arrow::RecordBatch> batch_of(const RankedRows& rows) const {
    const auto count = static_cast<std::int64_t>(rows.owners.size());
    return arrow::RecordBatch::Make(
        schema_, count,
        std::vector<std::shared_ptr<arrow::Array>>{texts(rows.owners), texts(rows.items),
                                                   numbers<arrow::FloatBuilder>(rows.scores),
                                                   numbers<arrow::Int32Builder>(rows.ranks)});
  }

 private:
  std::shared_ptr<arrow::Array> texts(std::span<const std::string_view> values) const {
    arrow::StringBuilder builder;
    std::int64_t bytes = 0;
    for (const std::string_view text : values) bytes += static_cast<std::int64_t>(text.size());
    check(builder.Reserve(static_cast<std::int64_t>(values.size())), path_);
    check(builder.ReserveData(bytes), path_);
    for (const std::string_view text : values) builder.UnsafeAppend(text);
    return take(builder.Finish(), path_);
  }
  template <typename Builder, typename Values>
  std::shared_ptr<arrow::Array> numbers(Values values) const {
    Builder builder;
    check(builder.AppendValues(values.data(), static_cast<std::int64_t>(values.size())), path_);
    return take(builder.Finish(), path_);
  }

  fs::path path_;
  std::shared_ptr<arrow::Schema> schema_;
};

class RankedParquet final : public RankedFile {
 public:
  RankedParquet(const fs::path& path, const RankedColumns& columns, const RankedFacts& facts)
      : batches_(path, columns, facts), writer_(path) {}
  void write(const RankedRows& rows) override {
    writer_.write(batches_.batch_of(rows));
    wrote_ = true;
  }
  void commit() override {
    if (!wrote_) write({});
    writer_.close();
  }

 private:
  RankedBatches batches_;
  ParquetWriter writer_;
  bool wrote_ = false;
};

class RankedArrow final : public RankedFile {
 public:
  RankedArrow(const fs::path& path, const RankedColumns& columns, const RankedFacts& facts)
      : batches_(path, columns, facts), writer_(path, batches_.schema()) {}
  void write(const RankedRows& rows) override { writer_.write(*batches_.batch_of(rows)); }
  void commit() override { writer_.commit(); }

 private:
  RankedBatches batches_;
  ArrowFileWriter writer_;
};

class RankedFrame final : public RankedFile {
 public:
  RankedFrame(Frame& frame, const RankedColumns& columns, const RankedFacts& facts)
      : frame_(frame), batches_("table", columns, facts) {
    frame_ = {};
  }
  void write(const RankedRows& rows) override {
    frame_.batches.push_back(batches_.batch_of(rows));
    frame_.num_rows += static_cast<std::int64_t>(rows.owners.size());
  }
  void commit() override {
    if (frame_.batches.empty()) write({});
  }

 private:
  Frame& frame_;
  RankedBatches batches_;
};

void append_json_text(fmt::memory_buffer& out, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
  });
  if (!plain) {
    const std::string quoted = nlohmann::json(std::string(text))
                                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return out.append(std::string_view(quoted));
  }
  out.push_back('"');
  out.append(text);
  out.push_back('"');
}

enum class RankedText { csv, jsonl };

class RankedTextFile final : public RankedFile {
 public:
  RankedTextFile(const fs::path& path, RankedColumns columns, RankedText format)
      : columns_(std::move(columns)), format_(format), reader_(csv_reader_of(path)), target_(path) {
    if (format == RankedText::csv)
      fmt::format_to(std::back_inserter(buffer_), "{},{},score,rank\n", columns_.owner,
                     columns_.listed);
  }
  void write(const RankedRows& rows) override {
    for (std::size_t i = 0; i < rows.owners.size(); ++i) {
      format_ == RankedText::csv ? append_csv(rows, i) : append_json(rows, i);
      if (buffer_.size() >= kFlushedBytes) flush();
    }
  }
  void commit() override {
    flush();
    target_.commit();
  }

 private:
  static constexpr std::size_t kFlushedBytes = std::size_t{1} << 20;

  void append_csv(const RankedRows& rows, std::size_t i) {
    const auto append = [this](std::string_view piece) { buffer_.append(piece); };
    append_csv_cell(rows.owners[i], append, reader_);
    buffer_.push_back(',');
    append_csv_cell(rows.items[i], append, reader_);
    fmt::format_to(std::back_inserter(buffer_), ",{},{}\n", rows.scores[i], rows.ranks[i]);
  }
  void append_json(const RankedRows& rows, std::size_t i) {
    fmt::format_to(std::back_inserter(buffer_), "{{\"{}\":", columns_.owner);
    append_json_text(buffer_, rows.owners[i]);
    fmt::format_to(std::back_inserter(buffer_), ",\"{}\":", columns_.listed);
    append_json_text(buffer_, rows.items[i]);
    fmt::format_to(std::back_inserter(buffer_), ",\"score\":{},\"rank\":{}}}\n", rows.scores[i],
                   rows.ranks[i]);
  }
  void flush() {
    target_.stream().write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }

  RankedColumns columns_;
  RankedText format_;
  CsvReader reader_;
  graph::NewFile target_;
  fmt::memory_buffer buffer_;
};

}  // namespace

bool is_ranked_name(const fs::path& path) {
  constexpr std::array kEndings = {".parquet", ".arrow", ".csv", ".jsonl"};
  return std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

std::unique_ptr<RankedFile> make_ranked_file(const fs::path& path, const RankedColumns& columns,
                                             const RankedFacts& facts) {
  if (!is_ranked_name(path)) {
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .parquet, .arrow, .csv or .jsonl",
                    path.string()));
  }
  if (path.extension() == ".parquet") return std::make_unique<RankedParquet>(path, columns, facts);
  if (path.extension() == ".arrow") return std::make_unique<RankedArrow>(path, columns, facts);
  return std::make_unique<RankedTextFile>(
      path, columns, path.extension() == ".csv" ? RankedText::csv : RankedText::jsonl);
}

std::unique_ptr<RankedFile> make_ranked_frame(Frame& frame, const RankedColumns& columns,
                                              const RankedFacts& facts) {
  return std::make_unique<RankedFrame>(frame, columns, facts);
}

}  // namespace penchant::pipeline
