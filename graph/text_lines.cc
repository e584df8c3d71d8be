// SPDX-License-Identifier: Apache-2.0
#include "graph/text_lines.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>
#include <zlib.h>

#include "graph/error.h"
#include "graph/files.h"

namespace penchant::graph {

LineReader::LineReader(const std::filesystem::path& path)
    : path_(path),
      file_(gzdopen(open_regular(path).release(), "rb"), &gzclose),
      buffer_(std::size_t{1} << 20) {
  if (file_ == nullptr) throw InputError(fmt::format("{}: cannot open the file", path.string()));
}

bool LineReader::next(std::string_view& line) {
  ++number_;
  while (true) {
    const auto end = std::find(buffer_.begin() + first_, buffer_.begin() + last_, '\n');
    if (end != buffer_.begin() + last_ || (ended_ && first_ < last_)) {
      line = {buffer_.data() + first_, static_cast<std::size_t>(end - buffer_.begin() - first_)};
      first_ = std::min(last_, end - buffer_.begin() + 1);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      return true;
    }
    if (ended_) return false;
    refill();
  }
}

bool LineReader::next_content(std::string_view marks, std::string_view& line) {
  while (next(line)) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && marks.find(line[first]) == std::string_view::npos)
      return true;
  }
  return false;
}

std::int64_t LineReader::packed_bytes() const { return gzoffset(file_.get()); }

void LineReader::fail(const std::string& message) const {
  throw InputError(fmt::format("{}:{}: {}", path_.string(), number_, message));
}

void LineReader::refill() {
  std::copy(buffer_.begin() + first_, buffer_.begin() + last_, buffer_.begin());
  last_ -= first_;
  first_ = 0;
  if (last_ == static_cast<std::ptrdiff_t>(buffer_.size())) buffer_.resize(2 * buffer_.size());
  const int count = gzread(file_.get(), buffer_.data() + last_,
                           static_cast<unsigned>(buffer_.size()) - static_cast<unsigned>(last_));
  if (count < 0) {
    int code = 0;
    throw InputError(fmt::format("{}: cannot be read behind line {}: {}", path_.string(),
                                 number_ - 1, gzerror(file_.get(), &code)));
  }
  last_ += count;
  text_bytes_ += count;
  ended_ = count == 0;
}

std::optional<std::string_view> Words::next() {
  const std::size_t first = rest_.find_first_not_of(" \t,");
  if (first == std::string_view::npos) return std::nullopt;
  rest_.remove_prefix(first);
  const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t,"));
  rest_.remove_prefix(word.size());
  return word;
}

std::int64_t Words::integer(const LineReader& lines, const char* what, std::int64_t least,
                            std::int64_t most) {
  const auto word = next();
  if (!word) lines.fail(fmt::format("{} is missing", what));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word->data(), word->data() + word->size(), value);
  if (error != std::errc() || end != word->data() + word->size())
    lines.fail(fmt::format("{} is '{}', expected an integer", what, *word));
  if (value < least || value > most)
    lines.fail(fmt::format("{} is {}, expected {} to {}", what, value, least, most));
  return value;
}

}  // namespace penchant::graph
