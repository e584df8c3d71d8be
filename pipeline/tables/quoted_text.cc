// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/quoted_text.h"

#include <string>
#include <utility>

namespace penchant::pipeline {

namespace {

/// The fields of one record, and where it lies.
struct Record {
  std::vector<Field> fields;
  std::size_t first = 0, next = 0;  ///< the record begins, the next one begins
  bool has_quotes = false;
  std::int64_t open_field = -1;  ///< the first whose quote does not close
};

void read_record(std::string_view text, std::size_t first, const Dialect& dialect, Record& record) {
  record.fields.clear();
  record.first = first;
  record.has_quotes = false;
  record.open_field = -1;
  for (std::size_t place = first;; ++place) {
    const Field& field = record.fields.emplace_back(read_field(text, place, dialect, true));
    record.has_quotes = record.has_quotes || field.quoted || field.has_marks;
    if (field.open_quote && record.open_field < 0)
      record.open_field = static_cast<std::int64_t>(record.fields.size()) - 1;
    place = field.stop;
    if (place < text.size() && text[place] == dialect.separator) continue;
    record.next = place < text.size() ? next_record(text, place, dialect) : place;
    return;
  }
}

std::string_view cell_of(TextBlock& block, std::size_t start, const Field& field) {
  char* const cell = block.bytes.data() + start + field.first;
  const std::size_t size = field.last - field.first;
  return {cell, field.has_marks ? take_out_marks(cell, size, block.dialect) : size};
}

/// A record as it stands, without its line end.
std::string_view line_of(std::string_view text, const Record& record, const Dialect& dialect) {
  std::string_view line = text.substr(record.first, record.fields.back().stop - record.first);
  if (!dialect.cr_ends_lines && line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Adds a record that is a row.
void add_row(TextBlock& block, std::size_t start, const Record& record, const TextShape& shape,
             std::uint32_t line, TextBatch& batch) {
  for (std::size_t c = 0; c < shape.wanted.size(); ++c) {
    const Field& field = record.fields[static_cast<std::size_t>(shape.wanted[c])];
    std::vector<std::string_view>& cells = batch.columns[c];
    // A field that several columns want is unescaped once.
    std::size_t known = 0;
    while (known < c && shape.wanted[known] != shape.wanted[c]) ++known;
    cells.push_back(known < c ? batch.columns[known].back() : cell_of(block, start, field));
  }
  batch.row_lines.push_back(line);
  if (record.open_field < 0) return;
  ++batch.counts.open_quotes;
  batch.open_quotes.push_back({batch.first_line + line, record.open_field + 1});
}

}  // namespace

bool split_quoted_text(TextBlock& block, const TextShape& shape, std::size_t most_bytes,
                       TextBatch& batch) {
  const std::size_t start = block.place;
  const std::string_view text(block.bytes.data() + start, block.last - start);
  if (text.empty()) return false;
  const Dialect& dialect = block.dialect;
  TextCounts& counts = batch.counts;
  batch.first_line = block.lines;
  for (auto& cells : batch.columns) cells.clear();
  // Counted by themselves, before cells are unescaped in place: records must add up to it.
  if (start == block.first) block.lines_left = count_lines(text, dialect);
  Record record;
  std::uint32_t line = 0;
  std::size_t place = 0;
  while (place < text.size() && place < most_bytes) {
    read_record(text, place, dialect, record);
    place = record.next;
    const std::size_t num_fields = record.fields.size();
    const std::string_view whole =
        text.substr(record.first, record.fields.back().last - record.first);
    const auto lines = record.has_quotes
                           ? static_cast<std::uint32_t>(count_lines(
                                 text.substr(record.first, record.next - record.first), dialect))
                           : 1U;
    counts.continuation_lines += lines - 1;
    if (!record.has_quotes && (whole.size() == num_fields - 1 ||
                               (num_fields != shape.num_fields && is_blank_line(whole)))) {
      ++counts.blank_lines;
    } else if (repeats_header(line_of(text, record, dialect), shape.header)) {
      ++counts.repeated_headers;
    } else if (num_fields == shape.num_fields) {
      add_row(block, start, record, shape, line, batch);
    } else {
      batch.malformed.push_back({block.lines + line, static_cast<std::int64_t>(shape.num_fields),
                                 static_cast<std::int64_t>(num_fields), record.open_field >= 0});
    }
    line += lines;
  }
  block.place += place;
  block.lines += line;
  batch.num_rows = static_cast<std::int64_t>(batch.row_lines.size());
  counts.lines = block.place == block.last ? block.lines_left : line;
  block.lines_left -= counts.lines;
  counts.rows = batch.num_rows;
  counts.malformed = static_cast<std::int64_t>(batch.malformed.size());
  counts.bytes = static_cast<std::int64_t>(place);
  return true;
}

std::vector<std::string> split_record(std::string_view record, const Dialect& dialect) {
  std::vector<std::string> cells;
  for (std::size_t place = 0;; ++place) {
    const Field field = read_field(record, place, dialect, true);
    std::string& cell = cells.emplace_back(record.substr(field.first, field.last - field.first));
    if (field.has_marks) cell.resize(take_out_marks(cell.data(), cell.size(), dialect));
    place = field.stop;
    if (place >= record.size() || record[place] != dialect.separator) return cells;
  }
}

}  // namespace penchant::pipeline
