// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/text_reader.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/tables/field_ends.h"
#include "pipeline/tables/plain_text.h"
#include "pipeline/tables/quoted_text.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// A read that leaves less than this of its buffer has filled it.
constexpr std::size_t kTail = 64;

/// The first line, without what stands in quotes.
std::string bare_text(std::string_view line, char quote) {
  std::string bare;
  bool quoted = false;
  for (const char c : line) {
    if (quote != '\0' && c == quote) quoted = !quoted;
    if (!quoted) bare += c;
  }
  return quoted ? std::string(line) : bare;  // a quote that does not close is text
}

char find_separator(const fs::path& path, std::string_view first_line) {
  std::string extension = path.extension().string();
  for (const char* packed : {".gz", ".zst", ".bz2", ".lz4"}) {
    if (extension == packed) extension = path.stem().extension().string();
  }
  if (extension == ".tsv") return '\t';
  const auto likeliest = [&](std::string_view candidates) {
    const auto count = [&](char c) { return std::count(first_line.begin(), first_line.end(), c); };
    return *std::max_element(candidates.begin(), candidates.end(),
                             [&](char a, char b) { return count(a) < count(b); });
  };
  if (extension != ".csv") return likeliest("\t,;|");
  // Where the comma is the decimal sign, a .csv has semicolons.
  return first_line.find(',') != std::string_view::npos ? ',' : likeliest(",;\t");
}

}  // namespace

struct TextReader::Impl {
  Impl(const fs::path& file, FileKind file_kind, const TableReadOptions& read_options)
      : path(file),
        kind(file_kind),
        options(read_options),
        source(file, file_kind, read_options.encoding) {}

  /// Reads on until `bytes` holds `size` bytes or the file ends; then the last line has a line
  /// break, if the file lacks it. Room for the padding of list_field_ends() stays behind them.
  void fill(std::vector<char>& bytes, std::size_t& count, std::size_t size) {
    bytes.resize(std::max(bytes.size(), size + 1 + kTextPadding));
    while (!ended && count + kTail <= size) {
      const std::size_t got = source.read(bytes.data() + count, size - count);
      ended = got == 0;
      count += got;
      num_read += static_cast<std::int64_t>(got);
    }
    if (!ended || count == 0 || added_break) return;
    if (dialect.ends_line(bytes[count - 1])) return;
    bytes[count++] = '\n';
    added_break = true;
  }

  [[noreturn]] void refuse_long_record(std::size_t size) const {
    throw InputError(fmt::format(
        "{}:{}: a line of {} MiB or more, expected at most {} MiB; is it delimited text, and are "
        "its quotes read as they are meant (quote = \"none\" reads them as text)?",
        path.string(), fetched_lines() + 1, size >> 20, kLongestRecord >> 20));
  }

  /// Lines of everything handed out so far, for a message: the file is read again.
  std::int64_t fetched_lines() const {
    TextSource again(path, kind, options.encoding);
    std::vector<char> bytes(kTextBlock);
    std::int64_t lines = 0;
    for (std::int64_t left = num_given; left > 0;) {
      const std::size_t got =
          again.read(bytes.data(), std::min(bytes.size(), static_cast<std::size_t>(left) + 2));
      if (got == 0) break;
      const auto used = std::min<std::int64_t>(left, static_cast<std::int64_t>(got));
      lines += count_lines({bytes.data(), static_cast<std::size_t>(used)}, dialect);
      left -= used;
    }
    return lines;
  }

  void open() {
    fill(carry, carried, options.block_bytes);
    if (carried == 0) throw InputError(fmt::format("{}: the file is empty", path.string()));
    const std::string_view start(carry.data(), carried);
    refuse_other_kinds(path, start);
    const std::size_t zero = start.find('\0');
    if (zero != std::string_view::npos) {
      throw InputError(fmt::format(
          "{}: byte {} is 0, which text has not: a binary file? Expected delimited text (CSV, TSV; "
          "plain or packed with gzip, zstd, bzip2 or LZ4) or Parquet",
          path.string(), zero + 1));
    }
    if (start.starts_with(kByteOrderMark)) {
      front.bytes = static_cast<std::int64_t>(kByteOrderMark.size());
      place = kByteOrderMark.size();
    }
    find_line_ends();
    skip_blank_lines();
    const std::string_view line = first_line();
    dialect.separator = options.separator != '\0'
                            ? options.separator
                            : find_separator(path, bare_text(line, quote_character()));
    check_marks();
    use_marks();
    read_header();
    num_given = front.bytes;
  }

  /// The line ends are those of the first line.
  void find_line_ends() {
    for (std::size_t from = place;;) {
      const std::string_view text(carry.data(), carried);
      const std::size_t found = text.find_first_of("\r\n", from);
      const bool known = found != std::string_view::npos && (found + 1 < carried || ended);
      if (known) {
        dialect.cr_ends_lines =
            text[found] == '\r' && found + 1 < carried && text[found + 1] != '\n';
        return;
      }
      if (ended) return;
      from = std::max(place, carried - 1);
      read_more();
    }
  }

  void read_more() {
    if (carried - place >= kLongestRecord) refuse_long_record(carried - place);
    fill(carry, carried, carried + std::max(options.block_bytes, carried));
  }

  std::string_view rest() const { return {carry.data() + place, carried - place}; }

  /// The line at `place`, without its line break. There is one: find_line_ends() has read it.
  std::string_view first_line() const {
    const std::string_view text = rest();
    std::size_t end = 0;
    while (end < text.size() && !dialect.ends_line(text[end])) ++end;
    if (!dialect.cr_ends_lines && end > 0 && text[end - 1] == '\r') --end;
    return text.substr(0, end);
  }

  void skip_blank_lines() {
    for (;;) {
      const std::string_view text = rest();
      if (text.empty() && ended) {
        throw InputError(fmt::format("{}: blank lines only, expected {}", path.string(),
                                     options.header ? "a header" : "data"));
      }
      const std::size_t end = first_record_end(text, dialect, ended);
      if (end == 0) {
        read_more();
        continue;
      }
      if (first_line().find_first_not_of(" ") != std::string_view::npos) return;
      ++front.blank_lines;
      ++front.lines;
      front.bytes += static_cast<std::int64_t>(end);
      place += end;
    }
  }

  char quote_character() const {
    return options.quote.is_automatic() ? '"' : options.quote.character;
  }

  void check_marks() const {
    for (const auto& [what, mark] :
         {std::pair{"quote", options.quote}, {"escape", options.escape}}) {
      if (mark.kind == TextMark::Kind::given && mark.character == dialect.separator) {
        throw InputError(
            fmt::format("{}: the {} is '{}', which is the separator; expected another character",
                        path.string(), what, mark.character));
      }
    }
  }

  /// What is given about quotes and escapes, and what the first bytes tell.
  void use_marks() {
    const bool open = options.quote.is_automatic() ||
                      (options.quote.character != '\0' && options.escape.is_automatic());
    dialect_found = !open;
    if (dialect_found) {
      dialect = find_dialect({}, dialect, options.quote, options.escape).dialect;
      return;
    }
    dialect.quote = quote_character();  // until there are quotes to judge by
    if (options.escape.kind == TextMark::Kind::given)
      dialect = find_dialect({}, dialect, dialect.quote, options.escape).dialect;
    const WholeRecords records = find_whole_records(rest(), dialect, ended);
    if (records.quoted || dialect.escape_outside)
      choose({rest(), ended, 0, options.header}, options.quote);
  }

  void choose(const TextSample& sample, TextMark quote) {
    const FoundDialect chosen = find_dialect(sample, dialect, quote, options.escape);
    dialect = chosen.dialect;
    escape_known = chosen.escape_known;
    dialect_found = true;
  }

  void read_header() {
    std::size_t end = first_record_end(rest(), dialect, ended);
    while (end == 0) {
      read_more();
      end = first_record_end(rest(), dialect, ended);
    }
    const std::string_view record = rest().substr(0, end);
    names = split_record(record, dialect);
    if (!options.header) {
      for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i + 1);
      return;
    }
    // Where quotes are text, those of the header may still be the writer's.
    for (std::string& name : names) {
      if (dialect.quote == '\0' && options.quote.is_automatic() && name.size() >= 2 &&
          name.front() == '"' && name.back() == '"')
        name = name.substr(1, name.size() - 2);
    }
    header = record;
    while (header.ends_with('\n') || header.ends_with('\r')) header.pop_back();
    front.header_lines = 1;
    const std::int64_t lines = count_lines(record, dialect);
    front.continuation_lines = lines - 1;
    front.lines += lines;
    front.bytes += static_cast<std::int64_t>(end);
    place += end;
  }

  /// Looks at the whole records at the front of some text, and finds the dialect once that matters.
  WholeRecords cut(std::string_view text) {
    WholeRecords records = find_whole_records(text, dialect, ended);
    if (!records.quoted) return records;
    if (!dialect_found) {
      choose({text, ended, names.size(), false}, options.quote);
    } else if (!escape_known && may_have_escapes(text, dialect.quote)) {
      // Until now it made no difference whether a backslash escapes.
      choose({text, ended, names.size(), false}, dialect.quote);
    } else {
      return records;
    }
    return find_whole_records(text, dialect, ended);
  }

  fs::path path;
  FileKind kind;
  TableReadOptions options;
  TextSource source;
  Dialect dialect;
  bool dialect_found = false;  ///< the dialect is that of the file
  bool escape_known = true;    ///< and so is whether a backslash escapes
  std::vector<std::string> names;
  std::string header;
  TextCounts front;
  std::vector<char> carry;     ///< what was read and is in no block yet,
  std::size_t place = 0;       ///< from here
  std::size_t carried = 0;     ///< to here
  bool ended = false;          ///< all of the file was read
  bool added_break = false;    ///< behind the last line
  std::int64_t num_read = 0;   ///< bytes
  std::int64_t num_given = 0;  ///< bytes handed out in blocks, or before them
};

TextReader::TextReader(const fs::path& path, FileKind kind, const TableReadOptions& options)
    : impl_(std::make_unique<Impl>(path, kind, options)) {
  impl_->open();
}
TextReader::~TextReader() = default;

const std::vector<std::string>& TextReader::names() const { return impl_->names; }

bool TextReader::fetch(TextBlock& block) {
  Impl& impl = *impl_;
  std::size_t count = impl.carried - impl.place;
  if (impl.ended && count == 0) return false;
  block.bytes.resize(std::max(block.bytes.size(), count + 1 + kTextPadding));
  std::copy_n(impl.carry.data() + impl.place, count, block.bytes.data());
  if (count < impl.options.block_bytes / 2)
    impl.fill(block.bytes, count, count + impl.options.block_bytes);
  WholeRecords records;
  for (;;) {
    if (count == 0) return false;
    records = impl.cut({block.bytes.data(), count});
    if (records.size > 0) break;
    // At the end every record is whole, so there is more to read.
    PENCHANT_ASSERT(!impl.ended);
    if (count >= kLongestRecord) impl.refuse_long_record(count);
    impl.fill(block.bytes, count, count + std::max(impl.options.block_bytes, count));
  }
  block.first = 0;
  block.place = 0;
  block.last = records.size;
  block.lines = 0;
  const std::string_view text(block.bytes.data(), records.size);
  const Dialect& dialect = impl.dialect;
  block.dialect = dialect;
  block.carriage_returns = text.find('\r') != std::string_view::npos;
  block.plain = !(records.quoted && dialect.quote != '\0') && !dialect.escape_outside &&
                !(dialect.cr_ends_lines && block.carriage_returns);
  impl.carry.assign(block.bytes.data() + records.size, block.bytes.data() + count);
  impl.place = 0;
  impl.carried = count - records.size;
  impl.num_given += static_cast<std::int64_t>(records.size);
  return true;
}

bool TextReader::split(TextBlock& block, std::span<const int> wanted, std::size_t most_bytes,
                       std::vector<std::uint32_t>& ends, TextBatch& batch) const {
  const TextShape shape{impl_->names.size(), wanted, impl_->header};
  return block.plain ? split_plain_lines(block, shape, most_bytes, ends, batch)
                     : split_quoted_text(block, shape, most_bytes, batch);
}

const TextCounts& TextReader::front() const { return impl_->front; }
std::int64_t TextReader::num_bytes() const {
  return impl_->num_read + (impl_->added_break ? 1 : 0);
}
bool TextReader::at_end() const { return impl_->ended && impl_->carried == impl_->place; }

std::size_t TextReader::expected_blocks() const {
  return impl_->kind == FileKind::text ? fs::file_size(impl_->path) / impl_->options.block_bytes + 1
                                       : 0;
}

std::string TextReader::hash() const { return impl_->ended ? impl_->source.hash() : ""; }

std::string TextReader::note() const {
  const bool was_found = impl_->dialect_found &&
                         (impl_->options.quote.is_automatic() ||
                          (impl_->dialect.quote != '\0' && impl_->options.escape.is_automatic()));
  return was_found ? dialect_note(impl_->dialect) : "";
}

}  // namespace penchant::pipeline
