// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/plain_text.h"

#include <string_view>

#include "pipeline/tables/field_ends.h"

namespace penchant::pipeline {

namespace {

/// Lines of the rows of a batch, which are all but `others` (ascending, from the batch's first).
void list_row_lines(const std::vector<std::uint32_t>& others, TextBatch& batch) {
  if (others.empty()) return;
  batch.row_lines.reserve(static_cast<std::size_t>(batch.num_rows));
  auto other = others.begin();
  for (std::uint32_t line = 0; line < batch.counts.lines; ++line) {
    if (other != others.end() && *other == line)
      ++other;
    else
      batch.row_lines.push_back(line);
  }
}

}  // namespace

bool split_plain_lines(TextBlock& block, const TextShape& shape, std::size_t most_bytes,
                       std::vector<std::uint32_t>& ends, TextBatch& batch) {
  std::string_view text(block.bytes.data() + block.place, block.last - block.place);
  if (text.empty()) return false;
  if (text.size() > most_bytes) {
    const std::size_t before = text.substr(0, most_bytes).rfind('\n');
    text = text.substr(0, (before == std::string_view::npos ? text.find('\n') : before) + 1);
  }
  block.place += text.size();
  batch.first_line = block.lines;
  const std::size_t num_ends = list_field_ends(text, block.dialect.separator, ends);
  const std::size_t most_rows = num_ends / shape.num_fields + 1;
  const std::size_t num_columns = shape.wanted.size();
  for (auto& cells : batch.columns) cells.resize(most_rows);
  const char* const data = text.data();
  const std::size_t num_separators = shape.num_fields - 1;
  // A repeated header may have a byte order mark before it.
  const std::size_t header_size = shape.header.empty() ? text.size() + 1 : shape.header.size();
  std::vector<std::uint32_t> not_rows;
  std::size_t row = 0;
  std::uint32_t line = 0;
  std::uint32_t first = 0;  // of the line
  for (std::size_t end = 0; end < num_ends; ++line) {
    const std::uint32_t* const field_ends = ends.data() + end;
    // Ends of the line: separators, then a line break.
    std::size_t found = 0;
    while (found < num_separators && data[field_ends[found]] != '\n') ++found;
    while (data[field_ends[found]] != '\n') ++found;
    const std::uint32_t line_break = field_ends[found];
    end += found + 1;
    const std::uint32_t line_end =
        line_break -
        (block.carriage_returns && line_break > first && data[line_break - 1] == '\r' ? 1 : 0);
    const std::size_t size = line_end - first;
    const std::string_view whole(data + first, size);
    if (size == found || (found != num_separators && is_blank_line(whole))) {
      ++batch.counts.blank_lines;  // an empty line, or one of separators
      not_rows.push_back(line);
    } else if (size - header_size <= kByteOrderMark.size() && repeats_header(whole, shape.header)) {
      ++batch.counts.repeated_headers;
      not_rows.push_back(line);
    } else if (found == num_separators) {
      for (std::size_t c = 0; c < num_columns; ++c) {
        const auto field = static_cast<std::size_t>(shape.wanted[c]);
        const std::uint32_t from = field == 0 ? first : field_ends[field - 1] + 1;
        const std::uint32_t to = field == num_separators ? line_end : field_ends[field];
        batch.columns[c][row] = {data + from, to - from};
      }
      ++row;
    } else {
      batch.malformed.push_back({block.lines + line, static_cast<std::int64_t>(shape.num_fields),
                                 static_cast<std::int64_t>(found) + 1, false});
      not_rows.push_back(line);
    }
    first = line_break + 1;
  }
  for (auto& cells : batch.columns) cells.resize(row);
  block.lines += line;
  batch.num_rows = static_cast<std::int64_t>(row);
  batch.counts.lines = line;
  batch.counts.rows = batch.num_rows;
  batch.counts.malformed = static_cast<std::int64_t>(batch.malformed.size());
  batch.counts.bytes = static_cast<std::int64_t>(text.size());
  list_row_lines(not_rows, batch);
  return true;
}

}  // namespace penchant::pipeline
