// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/dialect.h"

#include <cstring>
#include <utility>
#include <vector>

namespace penchant::pipeline {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::size_t find_from(std::string_view text, char c, std::size_t first, std::size_t last) {
  if (first >= last) return kNone;
  const void* found = std::memchr(text.data() + first, c, last - first);
  return found == nullptr ? kNone
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

enum class Closing { proper, none, unknown };

struct QuotedEnd {
  Closing closing = Closing::none;
  std::size_t close = 0;  ///< the closing quote
  bool has_marks = false;
};

/// Whether a quote whose next character is at `next` closes a cell.
Closing judge_close(std::string_view text, std::size_t next, const Dialect& dialect, bool whole) {
  if (next == text.size()) return whole ? Closing::proper : Closing::unknown;
  if (dialect.ends_field(text[next])) return Closing::proper;
  if (text[next] != '\r') return Closing::none;
  if (next + 1 == text.size()) return whole ? Closing::proper : Closing::unknown;
  return text[next + 1] == '\n' ? Closing::proper : Closing::none;
}

QuotedEnd find_close(std::string_view text, std::size_t open, const Dialect& dialect, bool whole) {
  const std::size_t limit = std::min(text.size(), open + kLongestCell);
  QuotedEnd end;
  for (std::size_t from = open + 1;;) {
    const std::size_t quote = find_from(text, dialect.quote, from, limit);
    if (quote == kNone) {
      if (!whole && limit < open + kLongestCell) end.closing = Closing::unknown;
      return end;
    }
    if (dialect.escape != '\0') {
      std::size_t escapes = quote;
      while (escapes > from && text[escapes - 1] == dialect.escape) --escapes;
      if ((quote - escapes) % 2 == 1) {
        from = quote + 1;
        continue;
      }
    }
    if (quote + 1 < text.size() && text[quote + 1] == dialect.quote) {
      end.has_marks = true;
      from = quote + 2;
      continue;
    }
    end.close = quote;
    end.closing = judge_close(text, quote + 1, dialect, whole);
    return end;
  }
}

/// Where a cell that is not quoted ends.
std::size_t find_field_end(std::string_view text, std::size_t place, const Dialect& dialect) {
  while (place < text.size() && !dialect.ends_field(text[place])) {
    place += dialect.escape_outside && text[place] == dialect.escape ? 2 : 1;
  }
  return std::min(place, text.size());
}

bool starts_field(std::string_view text, std::size_t place, const Dialect& dialect) {
  return place == 0 || dialect.ends_field(text[place - 1]);
}

/// The last line break in [first, last) of text outside quotes; kNone if there is none.
std::size_t last_break(std::string_view text, std::size_t first, std::size_t last,
                       const Dialect& dialect, bool whole) {
  if (!dialect.cr_ends_lines) {
    const void* found = memrchr(text.data() + first, '\n', last - first);
    return found == nullptr
               ? kNone
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  }
  for (std::size_t place = last; place > first; --place) {
    const char c = text[place - 1];
    // An LF may follow a CR at the very end.
    if (c == '\n' || (c == '\r' && (whole || place < text.size()))) return place - 1;
  }
  return kNone;
}

/// The last quoted cells of a text; line breaks between them end records.
struct QuotedCells {
  static constexpr std::size_t kMost = 4096;
  std::size_t first = 0;  ///< where the text begins that they lie in
  std::vector<std::pair<std::size_t, std::size_t>> places;

  /// Behind the last line break before `limit` and outside the cells; 0 if there is none.
  std::size_t last_record_end(std::string_view text, std::size_t limit, const Dialect& dialect,
                              bool whole) {
    for (;;) {
      const std::size_t from = places.empty() ? first : places.back().second;
      const std::size_t place = last_break(text, from, limit, dialect, whole);
      if (place != kNone) return next_record(text, place, dialect);
      if (places.empty()) return 0;
      limit = places.back().first;
      places.pop_back();
    }
  }
};

}  // namespace

Field read_field(std::string_view text, std::size_t place, const Dialect& dialect, bool whole) {
  Field field;
  if (dialect.quote != '\0' && place < text.size() && text[place] == dialect.quote) {
    const QuotedEnd end = find_close(text, place, dialect, whole);
    if (end.closing == Closing::proper) {
      field.first = place + 1;
      field.last = end.close;
      field.stop = end.close + 1;
      if (field.stop < text.size() && text[field.stop] == '\r' && !dialect.cr_ends_lines)
        ++field.stop;
      field.quoted = true;
      field.has_marks =
          end.has_marks || (dialect.escape != '\0' &&
                            find_from(text, dialect.escape, field.first, field.last) != kNone);
      return field;
    }
    field.open_quote = true;
    field.unknown = end.closing == Closing::unknown;
  }
  field.first = place;
  field.stop = find_field_end(text, place, dialect);
  field.last = field.stop;
  const bool ends_line = field.stop == text.size() || text[field.stop] == '\n';
  if (ends_line && !dialect.cr_ends_lines && field.last > place && text[field.last - 1] == '\r')
    --field.last;
  field.has_marks =
      dialect.escape_outside && find_from(text, dialect.escape, field.first, field.last) != kNone;
  return field;
}

std::int64_t count_lines(std::string_view text, const Dialect& dialect) {
  std::int64_t lines = std::count(text.begin(), text.end(), '\n');
  if (!dialect.cr_ends_lines) return lines;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) ++lines;
  }
  return lines;
}

WholeRecords find_whole_records(std::string_view text, const Dialect& dialect, bool whole) {
  WholeRecords records;
  if (dialect.escape_outside) {  // a line break behind an escape is none
    records.quoted = true;
    for (std::size_t place = 0; place < text.size();) {
      const Field field = read_field(text, place, dialect, whole);
      if (field.unknown) break;
      if (field.stop == text.size()) {
        if (whole) records.size = text.size();
        break;
      }
      place = field.stop + 1;
      if (text[field.stop] == dialect.separator) continue;
      if (!whole && text[field.stop] == '\r' && place == text.size()) break;
      place = next_record(text, field.stop, dialect);
      records.size = place;
    }
    return records;
  }
  QuotedCells cells;
  std::size_t first_quoted = text.size();
  std::size_t limit = text.size();
  for (std::size_t place = 0; dialect.quote != '\0';) {
    const std::size_t quote = find_from(text, dialect.quote, place, text.size());
    if (quote == kNone) break;
    place = quote + 1;
    if (!starts_field(text, quote, dialect)) continue;
    first_quoted = std::min(first_quoted, quote);
    const QuotedEnd end = find_close(text, quote, dialect, whole);
    if (end.closing == Closing::unknown) {
      limit = quote;
      break;
    }
    if (end.closing == Closing::none) continue;
    place = end.close + 1;
    if (cells.places.size() == QuotedCells::kMost) {
      const std::size_t found = cells.last_record_end(text, quote, dialect, whole);
      if (found > 0) records.size = found;
      cells.places.clear();
      cells.first = quote;
    }
    cells.places.emplace_back(quote, place);
  }
  const std::size_t found = cells.last_record_end(text, limit, dialect, whole);
  if (found > 0) records.size = found;
  records.quoted = first_quoted < (records.size > 0 ? records.size : text.size());
  return records;
}

std::size_t first_record_end(std::string_view text, const Dialect& dialect, bool whole) {
  for (std::size_t place = 0; place <= text.size();) {
    const Field field = read_field(text, place, dialect, whole);
    if (field.unknown) return 0;
    if (field.stop == text.size()) return whole ? text.size() : 0;
    place = field.stop + 1;
    if (text[field.stop] == dialect.separator) continue;
    const bool cut = !whole && text[field.stop] == '\r' && place == text.size();
    return cut ? 0 : next_record(text, field.stop, dialect);
  }
  return 0;
}

std::size_t take_out_marks(char* cell, std::size_t size, const Dialect& dialect) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const bool more = i + 1 < size;
    if (more && dialect.escape != '\0' && cell[i] == dialect.escape) {
      const char next = cell[i + 1];
      // Before any other character it stands for itself: C:\dir, \N.
      if (next == dialect.escape || next == dialect.quote || next == '\r' ||
          dialect.ends_field(next))
        ++i;
    } else if (more && dialect.quote != '\0' && cell[i] == dialect.quote &&
               cell[i + 1] == dialect.quote) {
      ++i;
    }
    cell[to++] = cell[i];
  }
  return to;
}

}  // namespace penchant::pipeline
