// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/vector_files.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <ostream>
#include <vector>

#include <fmt/core.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "graph/half.h"
#include "graph/npy.h"
#include "models/safetensors.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/csv_cell.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;
using nlohmann::json;

namespace {

constexpr std::int64_t kRowsPerBlock = 16384;

/// Calls write(first, last) for rows [first, last), at least once; says how far it is and stops if
/// asked.
template <typename Write>
void for_each_row_block(const fs::path& path, std::int64_t num_rows, Progress& progress,
                        Write write) {
  std::int64_t first = 0;
  do {
    const std::int64_t last = std::min(first + kRowsPerBlock, num_rows);
    write(first, last);
    first = last;
    progress.update(first, num_rows, path.filename().string());
    stop_if_asked(progress);
  } while (first < num_rows);
}

/// Rows as they lie in memory, or as halves, behind a header.
void write_matrix(const fs::path& path, std::string_view header, const NamedVectors& of,
                  Progress& progress) {
  const auto cols = static_cast<std::size_t>(of.vectors.cols);
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    std::vector<std::uint16_t> halves(cols);
    for_each_row_block(path, of.vectors.rows, progress, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const float* const row = of.vectors.row(i);
        if (of.type == EmbeddingType::float16) {
          std::transform(row, row + cols, halves.begin(), graph::to_half);
          out.write(reinterpret_cast<const char*>(halves.data()),
                    static_cast<std::streamsize>(cols * sizeof(std::uint16_t)));
        } else {
          out.write(reinterpret_cast<const char*>(row),
                    static_cast<std::streamsize>(cols * sizeof(float)));
        }
      }
    });
  });
}

void write_npy_vectors(const fs::path& path, const NamedVectors& of, Progress& progress) {
  const std::int64_t shape[] = {of.vectors.rows, of.vectors.cols};
  write_matrix(path, graph::npy_header(of.type == EmbeddingType::float16 ? "<f2" : "<f4", shape),
               of, progress);
}

/// Rows and columns as two uint32, little-endian, then the rows: what DiskANN's tools and usearch
/// read.
void write_bin(const fs::path& path, const NamedVectors& of, Progress& progress) {
  const std::uint32_t extents[] = {graph::checked_cast<std::uint32_t>(of.vectors.rows),
                                   graph::checked_cast<std::uint32_t>(of.vectors.cols)};
  write_matrix(path, {reinterpret_cast<const char*>(extents), sizeof(extents)}, of, progress);
}

void write_tensor(const fs::path& path, const NamedVectors& of, Progress& progress) {
  const models::NamedTensor tensor{of.entity, of.vectors};
  const std::map<std::string, std::string> facts(of.facts.begin(), of.facts.end());
  const auto watch = [&](std::int64_t done) {
    progress.update(done, of.vectors.rows, path.filename().string());
    stop_if_asked(progress);
  };
  write_file_atomically(path, [&](std::ostream& out) {
    models::write_safetensors(out, std::span(&tensor, 1), facts,
                              {.half = of.type == EmbeddingType::float16, .watch = watch});
  });
}

void write_table(const fs::path& path, VectorTableKind kind, const NamedVectors& of,
                 Progress& progress) {
  VectorTableWriter writer(path, kind, of.facts);
  for_each_row_block(path, of.vectors.rows, progress, [&](std::int64_t first, std::int64_t last) {
    std::vector<std::string_view> raws;
    for (std::int64_t id = first; id < last; ++id)
      raws.push_back(of.ids.raw(static_cast<NodeId>(id)));
    writer.write(std::move(raws), {of.vectors.row(first), of.vectors.cols, of.vectors.stride,
                                   of.type == EmbeddingType::float16});
  });
  writer.commit();
}

/// Lines of text, flushed from time to time.
class TextRows {
 public:
  TextRows(const fs::path& path, const NamedVectors& of) : path_(path), of_(of), target_(path) {}

  void append(std::string_view text) { buffer_.append(text); }
  void append(char c) { buffer_.push_back(c); }
  /// The shortest decimals that give the number back as float32, commas between them.
  void append_numbers(std::int64_t row) {
    const float* const numbers = of_.vectors.row(row);
    for (std::int64_t j = 0; j < of_.vectors.cols; ++j) {
      float number = numbers[j];
      if (of_.type == EmbeddingType::float16) number = graph::from_half(graph::to_half(number));
      if (!std::isfinite(number)) {
        throw InputError(fmt::format(
            "{}: number {} of '{}' is {}{}, which this format cannot hold", path_.string(), j + 1,
            printable(id(row)), number,
            of_.type == EmbeddingType::float16 ? fmt::format(" as float16 ({})", numbers[j]) : ""));
      }
      if (j > 0) append(',');
      if (number == 0.0F && std::signbit(number))
        append("-0.0");  // as JSON, "-0" is a whole number without a sign
      else
        fmt::format_to(std::back_inserter(buffer_), "{}", number);
    }
  }
  std::string_view id(std::int64_t row) const { return of_.ids.raw(static_cast<NodeId>(row)); }
  void end_line() {
    append('\n');
    if (buffer_.size() >= kFlushedBytes) flush();
  }
  void commit() {
    flush();
    target_.commit();
  }

 private:
  static constexpr std::size_t kFlushedBytes = std::size_t{1} << 20;

  void flush() {
    target_.stream().write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }

  fs::path path_;
  const NamedVectors& of_;
  graph::NewFile target_;
  fmt::memory_buffer buffer_;
};

void append_json_row(TextRows& rows, std::int64_t row) {
  rows.append("{\"raw_id\":");
  rows.append(json(std::string(rows.id(row))).dump());
  rows.append(",\"vector\":[");
  rows.append_numbers(row);
  rows.append("]}");
}

/// The vector is one cell, a JSON array. An empty id is quoted: an empty cell without quotes is
/// missing for DuckDB and PostgreSQL.
void append_csv_row(TextRows& rows, std::int64_t row) {
  append_csv_cell(
      rows.id(row), [&](std::string_view piece) { rows.append(piece); }, rows.id(row).empty());
  rows.append(",\"[");
  rows.append_numbers(row);
  rows.append("]\"");
}

/// As PostgreSQL's COPY in its text format takes it: backslash, tab and line ends as escapes, so
/// that an id \N is none that is null.
void append_copy_row(TextRows& rows, std::int64_t row, std::string_view brackets) {
  for (const char c : rows.id(row)) {
    switch (c) {
      case '\\':
        rows.append("\\\\");
        break;
      case '\t':
        rows.append("\\t");
        break;
      case '\n':
        rows.append("\\n");
        break;
      case '\r':
        rows.append("\\r");
        break;
      default:
        rows.append(c);
    }
  }
  rows.append('\t');
  rows.append(brackets[0]);
  rows.append_numbers(row);
  rows.append(brackets[1]);
}

void write_text(const fs::path& path, EmbeddingFormat format, const NamedVectors& of,
                Progress& progress) {
  TextRows rows(path, of);
  if (format == EmbeddingFormat::csv) rows.append("raw_id,vector\n");
  for_each_row_block(path, of.vectors.rows, progress, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      if (format == EmbeddingFormat::jsonl)
        append_json_row(rows, row);
      else if (format == EmbeddingFormat::csv)
        append_csv_row(rows, row);
      else
        append_copy_row(rows, row, format == EmbeddingFormat::pgcopy ? "{}" : "[]");
      rows.end_line();
    }
  });
  rows.commit();
}

/// What PostgreSQL cannot hold is refused before a file is written.
void check_for_postgres(const fs::path& path, EmbeddingFormat format, const NamedVectors& of) {
  constexpr std::int64_t kMostOfPgvector = 16000;
  if (format == EmbeddingFormat::pgvector && of.vectors.cols > kMostOfPgvector) {
    throw InputError(fmt::format("{}: pgvector holds up to {} numbers, and the vectors have {}",
                                 path.string(), kMostOfPgvector, of.vectors.cols));
  }
  for (std::int64_t row = 0; row < of.ids.size(); ++row) {
    const std::string_view id = of.ids.raw(static_cast<NodeId>(row));
    if (id.find('\0') != id.npos) {
      throw InputError(fmt::format("{}: the id '{}' has a zero byte, which PostgreSQL cannot hold",
                                   path.string(), printable(id)));
    }
  }
}

}  // namespace

std::string vector_file_name(std::string_view entity, EmbeddingFormat format, EmbeddingType type) {
  const bool half_bin = format == EmbeddingFormat::fbin && type == EmbeddingType::float16;
  return fmt::format("{}.{}", entity, half_bin ? "hbin" : enum_name(format));
}

std::string ids_file_name(std::string_view entity) { return fmt::format("{}.ids.jsonl", entity); }

std::unique_ptr<VectorReader> open_vectors(const fs::path& folder, std::string_view entity,
                                           EmbeddingFormat format, std::int64_t cols) {
  VectorFile file = {.path = folder / vector_file_name(entity, format, EmbeddingType::float32),
                     .format = format,
                     .ids = folder / ids_file_name(entity),
                     .tensor = std::string(entity),
                     .cols = cols};
  if (format == EmbeddingFormat::fbin && !fs::exists(file.path))
    file.path = folder / vector_file_name(entity, format, EmbeddingType::float16);
  return open_vector_file(file);
}

void write_vectors(const fs::path& path, EmbeddingFormat format, const NamedVectors& vectors,
                   Progress& progress) {
  switch (format) {
    case EmbeddingFormat::npy:
      return write_npy_vectors(path, vectors, progress);
    case EmbeddingFormat::parquet:
      return write_table(path, VectorTableKind::parquet, vectors, progress);
    case EmbeddingFormat::arrow:
      return write_table(path, VectorTableKind::arrow, vectors, progress);
    case EmbeddingFormat::safetensors:
      return write_tensor(path, vectors, progress);
    case EmbeddingFormat::fbin:
      return write_bin(path, vectors, progress);
    case EmbeddingFormat::pgcopy:
    case EmbeddingFormat::pgvector:
      check_for_postgres(path, format, vectors);
      [[fallthrough]];
    case EmbeddingFormat::jsonl:
    case EmbeddingFormat::csv:
      return write_text(path, format, vectors, progress);
  }
}

void write_ids(const fs::path& path, const graph::Dictionary& ids) {
  write_file_atomically(path, [&](std::ostream& out) {
    for (std::int64_t id = 0; id < ids.size(); ++id)
      out << json(std::string(ids.raw(static_cast<NodeId>(id)))).dump() << '\n';
  });
}

}  // namespace penchant::pipeline
