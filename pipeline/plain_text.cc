// SPDX-License-Identifier: Apache-2.0
#include "pipeline/plain_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/cpu/field_ends.h"
#include "pipeline/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Every CR stands before an LF.
bool only_crlf(std::string_view text, std::size_t first) {
  for (std::size_t place = first; place != std::string_view::npos;
       place = text.find('\r', place + 1)) {
    if (place + 1 >= text.size() || text[place + 1] != '\n') return false;
  }
  return true;
}

}  // namespace

struct PlainTextReader::Impl {
  Impl(const fs::path& file, bool skip, char quote_mark)
      : path(file), skip_first_line(skip), quote(quote_mark) {
    descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      throw InputError(
          fmt::format("{}: cannot open the file: {}", path.string(), std::strerror(errno)));
    }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~Impl() { close(descriptor); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Fills bytes [from, from + kTextBlock) of a buffer; returns how many there were.
  std::size_t fill(char* to) {
    std::size_t count = 0;
    while (count < kTextBlock) {
      const ssize_t got = read(descriptor, to + count, kTextBlock - count);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw InputError(fmt::format("{}: read error: {}", path.string(), std::strerror(errno)));
      if (got == 0) break;
      count += static_cast<std::size_t>(got);
    }
    hasher.update({to, count});
    return count;
  }

  fs::path path;
  bool skip_first_line;
  char quote;
  int descriptor = -1;
  bool started = false;
  bool ended = false;
  std::string carry;  ///< the line that the last block did not end
  std::int64_t offset = 0;
  Hasher hasher;
};

PlainTextReader::PlainTextReader(const fs::path& path, bool skip_first_line, char quote)
    : impl_(std::make_unique<Impl>(path, skip_first_line, quote)) {}
PlainTextReader::~PlainTextReader() = default;
std::int64_t PlainTextReader::offset() const { return impl_->offset; }

std::string PlainTextReader::hash() const {
  PENCHANT_ASSERT(impl_->ended);
  return impl_->hasher.digest();
}

PlainTextReader::Found PlainTextReader::next(PlainBlock& block) {
  Impl& impl = *impl_;
  if (impl.ended) return Found::end;
  const std::size_t carried = impl.carry.size();
  block.bytes.resize(
      std::max(block.bytes.size(), carried + kTextBlock + 1 + kernels::kTextPadding));
  char* const bytes = block.bytes.data();
  std::copy(impl.carry.begin(), impl.carry.end(), bytes);
  const std::size_t filled = impl.fill(bytes + carried);
  std::size_t size = carried + filled;
  const bool last = filled < kTextBlock;
  if (last && size == 0) {
    impl.ended = true;
    return Found::end;
  }
  const std::size_t file_bytes = size;
  if (last && bytes[size - 1] != '\n') {
    if (bytes[size - 1] == '\r') return Found::other_text;
    bytes[size++] = '\n';
  }
  std::string_view text(bytes, size);
  const std::size_t line_end = text.rfind('\n');
  if (line_end == std::string_view::npos) return Found::other_text;
  text = text.substr(0, line_end + 1);
  const std::size_t carriage_return = text.find('\r');
  block.crlf = carriage_return != std::string_view::npos;
  if (text.find(impl.quote) != std::string_view::npos || !only_crlf(text, carriage_return))
    return Found::other_text;
  impl.carry.assign(bytes + text.size(), size - text.size());
  impl.offset += static_cast<std::int64_t>(std::min(text.size(), file_bytes));
  impl.ended = last;
  if (!impl.started) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (impl.skip_first_line) text.remove_prefix(text.find('\n') + 1);
    impl.started = true;
  }
  block.text = text;
  block.place = 0;
  block.lines = 0;
  return text.empty() && last ? Found::end : Found::lines;
}

bool split_plain_lines(PlainBlock& block, const LineShape& shape, std::size_t most_bytes,
                       std::vector<std::uint32_t>& ends, TextBatch& batch) {
  std::string_view text = block.text.substr(block.place);
  if (text.empty()) return false;
  if (text.size() > most_bytes) {
    const std::size_t before = text.substr(0, most_bytes).rfind('\n');
    text = text.substr(0, (before == std::string_view::npos ? text.find('\n') : before) + 1);
  }
  block.place += text.size();
  batch.first_line = block.lines;
  const std::size_t num_ends = kernels::list_field_ends(text, shape.separator, ends);
  std::size_t most_rows = num_ends / shape.num_fields + 1;
  const std::size_t num_columns = shape.wanted.size();
  for (auto& cells : batch.columns) cells.resize(most_rows);
  const char* const data = text.data();
  const std::size_t num_separators = shape.num_fields - 1;
  std::size_t row = 0;
  std::uint32_t first = 0;  // of the line
  for (std::size_t end = 0; end < num_ends; ++block.lines) {
    const std::uint32_t* const field_ends = ends.data() + end;
    // Ends of the line: separators, then a line break.
    std::size_t found = 0;
    while (found < num_separators && data[field_ends[found]] != '\n') ++found;
    while (data[field_ends[found]] != '\n') ++found;
    const std::uint32_t line_break = field_ends[found];
    end += found + 1;
    const std::uint32_t line_end =
        line_break - (block.crlf && line_break > first && data[line_break - 1] == '\r' ? 1 : 0);
    if (row == most_rows) {  // there are empty lines
      most_rows *= 2;
      for (auto& cells : batch.columns) cells.resize(most_rows);
    }
    if (found == num_separators) {
      for (std::size_t c = 0; c < num_columns; ++c) {
        const auto field = static_cast<std::size_t>(shape.wanted[c]);
        const std::uint32_t from = field == 0 ? first : field_ends[field - 1] + 1;
        const std::uint32_t to = field == num_separators ? line_end : field_ends[field];
        batch.columns[c][row] = {data + from, to - from};
      }
      ++row;
    } else if (line_end == first) {  // an empty line: a row of empty cells, as for Arrow
      for (auto& cells : batch.columns) cells[row] = {data + first, 0};
      ++row;
    } else {
      batch.malformed.push_back({block.lines, static_cast<std::int64_t>(shape.num_fields),
                                 static_cast<std::int64_t>(found) + 1});
    }
    first = line_break + 1;
  }
  for (auto& cells : batch.columns) cells.resize(row);
  batch.num_rows = static_cast<std::int64_t>(row);
  return true;
}

}  // namespace penchant::pipeline
