// SPDX-License-Identifier: Apache-2.0
// Which reading of quotes explains a sample best. Each is tried; what tells them apart are rows
// with the wrong number of fields first, then quotes that it has to take for text, or text that
// looks quoted.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "pipeline/tables/dialect.h"

namespace penchant::pipeline {

namespace {

/// Numbers, dates and times of day.
bool is_numeric(std::string_view cell) {
  return !cell.empty() &&
         cell.find_first_not_of("0123456789+-.:eETZ/ ") == std::string_view::npos &&
         cell.find_first_of("0123456789") != std::string_view::npos;
}

/// Cells of one column under one reading.
struct ColumnFacts {
  std::int64_t quoted = 0;
  std::int64_t needless = 0;  ///< of them, those that hold nothing which asks for quotes
  std::int64_t words = 0;     ///< neither quoted nor empty nor numeric
};

struct Lines {
  std::size_t first = 0, last = 0;  ///< in the sample
};

/// A sample under one reading.
struct Fit {
  Dialect dialect;
  std::int64_t wrong_rows = 0;
  std::int64_t open_quotes = 0;
  std::vector<ColumnFacts> columns;
  std::vector<Lines> over_lines;  ///< records of more than one line
  std::int64_t continuations = 0;
  std::int64_t doubled = 0;             ///< quotes in quoted cells
  std::int64_t backslash_pairs = 0;     ///< in quoted cells: \\,
  std::int64_t single_backslashes = 0;  ///< and others
};

/// Calls visit(fields, place of the record, place behind it) for each record that is whole; false
/// if a cell begins that runs over a line end and beyond the sample.
template <typename Visit>
bool for_each_record(const TextSample& sample, const Dialect& dialect, const Visit& visit) {
  std::vector<Field> fields;
  const std::string_view text = sample.text;
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t first = place;
    fields.clear();
    for (;;) {
      fields.push_back(read_field(text, place, dialect, sample.whole));
      if (fields.back().unknown) return count_lines(text.substr(place), dialect) == 0;
      place = fields.back().stop;
      if (place >= text.size()) break;
      if (text[place] != dialect.separator) break;
      ++place;
    }
    if (place >= text.size() && !sample.whole) return true;
    place = place < text.size() ? next_record(text, place, dialect) : place;
    visit(fields, first, place);
  }
  return true;
}

bool is_blank_record(const std::vector<Field>& fields, std::string_view text) {
  for (const Field& field : fields) {
    if (field.quoted ||
        text.substr(field.first, field.last - field.first).find_first_not_of(" \t") !=
            std::string_view::npos)
      return false;
  }
  return true;
}

bool asks_for_quotes(std::string_view cell) {
  return cell.empty() || cell.front() == ' ' || cell.back() == ' ' ||
         cell.find_first_of(",;\t\"\r\n|\\'#") != std::string_view::npos;
}

void count_marks(std::string_view cell, const Dialect& dialect, Fit& fit) {
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] != '\\') {
      fit.doubled += cell[i] == dialect.quote ? 1 : 0;
    } else if (i + 1 < cell.size() && cell[i + 1] == '\\') {
      ++fit.backslash_pairs;
      ++i;
    } else {
      ++fit.single_backslashes;
    }
  }
}

Fit fit(const TextSample& sample, const Dialect& dialect) {
  Fit result;
  result.dialect = dialect;
  std::size_t num_fields = sample.num_fields;
  bool header = sample.header;
  const bool closed = for_each_record(
      sample, dialect, [&](const std::vector<Field>& fields, std::size_t first, std::size_t last) {
        if (is_blank_record(fields, sample.text)) return;
        if (num_fields == 0) num_fields = fields.size();
        result.columns.resize(num_fields);
        for (const Field& field : fields) result.open_quotes += field.open_quote ? 1 : 0;
        const std::int64_t lines = count_lines(sample.text.substr(first, last - first), dialect);
        if (lines > 1) {
          result.over_lines.push_back({first, last});
          result.continuations += lines - 1;
        }
        if (fields.size() != num_fields) {
          ++result.wrong_rows;
          return;
        }
        if (std::exchange(header, false)) return;
        for (std::size_t f = 0; f < num_fields; ++f) {
          const Field& field = fields[f];
          const std::string_view cell = sample.text.substr(field.first, field.last - field.first);
          ColumnFacts& column = result.columns[f];
          if (field.quoted) {
            count_marks(cell, dialect, result);
            ++column.quoted;
            column.needless += asks_for_quotes(cell) ? 0 : 1;
          } else if (!cell.empty() && !is_numeric(cell)) {
            ++column.words;
          }
        }
      });
  if (!closed) ++result.open_quotes;
  return result;
}

/// Quoted cells of columns that are quoted as a rule: to take those quotes for text is wrong.
std::int64_t count_quoted_by_rule(const Fit& quoted) {
  std::int64_t count = 0;
  for (const ColumnFacts& column : quoted.columns)
    count += column.quoted > 4 * column.words ? column.quoted : 0;
  return count;
}

/// Some cells are quoted without need among others of their column that are not, and none with
/// need: a writer of quotes does not do that, a title does.
bool are_titles(const Fit& quoted) {
  bool found = false;
  for (const ColumnFacts& column : quoted.columns) {
    if (column.needless != column.quoted) return false;
    found = found || (column.quoted > 0 && column.words > 0);
  }
  return found;
}

/// What a cell looks like: runs of letters and of digits become one character each, numbers and
/// dates are alike.
std::string shape_of(std::string_view cell) {
  constexpr std::size_t kLongest = 16;
  if (is_numeric(cell)) return "0";
  std::string shape;
  for (const char c : cell) {
    const auto byte = static_cast<unsigned char>(c);
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    const char kind = digit ? '0' : letter || byte >= 0x80 ? 'a' : c;
    if (shape.empty() || shape.back() != kind) shape += kind;
    if (shape.size() == kLongest) break;
  }
  return shape;
}

/// Cells of a column in the lines of quoted cells that run over line ends, and elsewhere.
class ColumnShapes {
 public:
  void add(std::string_view cell, bool is_inside) {
    Shapes& of = is_inside ? inside_ : elsewhere_;
    if (cell.empty()) {
      of.has_empty = true;
      return;
    }
    ++of.cells;
    if (of.different.size() > kMost) return;
    std::string shape = shape_of(cell);
    if (std::find(of.different.begin(), of.different.end(), shape) == of.different.end())
      of.different.push_back(std::move(shape));
  }
  /// Most cells look alike, as ids, numbers and times do.
  bool is_regular() const {
    const std::size_t shapes = elsewhere_.different.size();
    return shapes == 1 ? elsewhere_.cells >= 3 : shapes == kMost && elsewhere_.cells >= 8;
  }
  bool inside_agrees() const {
    const auto is_known = [&](const std::string& shape) {
      return std::find(elsewhere_.different.begin(), elsewhere_.different.end(), shape) !=
             elsewhere_.different.end();
    };
    return (elsewhere_.has_empty || !inside_.has_empty) &&
           std::all_of(inside_.different.begin(), inside_.different.end(), is_known);
  }

 private:
  static constexpr std::size_t kMost = 2;
  struct Shapes {
    std::int64_t cells = 0;
    bool has_empty = false;
    std::vector<std::string> different;  ///< more than kMost: they are many
  };
  Shapes elsewhere_, inside_;
};

/// What the lines of quoted cells that run over line ends look like when quotes are text.
struct SpannedLines {
  std::int64_t lines = 0;
  std::int64_t wrong = 0;  ///< with the wrong number of fields
  bool has_regular_columns = false;
  bool regular_columns_agree = true;
};

SpannedLines judge_spanned_lines(const TextSample& sample, const Fit& text, const Fit& quoted) {
  SpannedLines spanned;
  const std::size_t num_fields = text.columns.size();
  std::vector<ColumnShapes> columns(num_fields);
  auto lines = quoted.over_lines.begin();
  std::string_view header;
  const auto add = [&](const std::vector<Field>& fields, std::size_t first, std::size_t last) {
    while (lines != quoted.over_lines.end() && lines->last <= first) ++lines;
    const bool inside = lines != quoted.over_lines.end() && lines->first <= first;
    if (is_blank_record(fields, sample.text)) return;
    spanned.lines += inside ? 1 : 0;
    if (fields.size() != num_fields) {
      spanned.wrong += inside ? 1 : 0;
      return;
    }
    const std::string_view record = sample.text.substr(first, last - first);
    if (sample.header && header.empty()) header = record;
    if (record == header) return;
    for (std::size_t f = 0; f < num_fields; ++f) {
      const std::string_view cell =
          sample.text.substr(fields[f].first, fields[f].last - fields[f].first);
      // What is in question are the cells with the quotes: the others tell.
      if (inside && cell.find(quoted.dialect.quote) != std::string_view::npos) continue;
      columns[f].add(cell, inside);
    }
  };
  for_each_record(sample, text.dialect, add);
  for (const ColumnShapes& column : columns) {
    if (!column.is_regular()) continue;
    spanned.has_regular_columns = true;
    spanned.regular_columns_agree = spanned.regular_columns_agree && column.inside_agrees();
  }
  return spanned;
}

/// Whether quotes that seem to span lines only happen to: their lines are rows by themselves.
bool are_rows_by_themselves(const SpannedLines& spanned, const Fit& text, const Fit& quoted) {
  if (quoted.continuations == 0 || spanned.wrong * 3 > spanned.lines) return false;
  if (spanned.has_regular_columns) return spanned.regular_columns_agree;
  // The more separators had to be where they are, the less it is chance. Tabs hardly occur in text.
  const auto gaps = static_cast<std::int64_t>(text.columns.size()) - 1;
  return quoted.continuations * gaps >= (text.dialect.separator == '\t' ? 2 : 6);
}

bool is_text(const TextSample& sample, const Fit& text, const Fit& quoted) {
  std::int64_t wrong_rows = text.wrong_rows;
  std::int64_t doubtful = count_quoted_by_rule(quoted);
  bool rows_by_themselves = false;
  if (quoted.continuations > 0) {
    const SpannedLines spanned = judge_spanned_lines(sample, text, quoted);
    rows_by_themselves = are_rows_by_themselves(spanned, text, quoted);
    if (rows_by_themselves) {
      wrong_rows -= spanned.wrong;
      doubtful -= static_cast<std::int64_t>(quoted.over_lines.size());
    }
  }
  if (wrong_rows != quoted.wrong_rows) return wrong_rows < quoted.wrong_rows;
  if (doubtful != quoted.open_quotes) return doubtful < quoted.open_quotes;
  return rows_by_themselves || (text.dialect.separator == '\t' && are_titles(quoted));
}

/// Whether backslashes escape. Where that makes no difference to what is wrong, they do if every
/// one in quotes is doubled and no quote is, as Spark writes them.
bool backslashes_escape(const Fit& escaped, const Fit& doubled) {
  if (escaped.wrong_rows != doubled.wrong_rows) return escaped.wrong_rows < doubled.wrong_rows;
  if (escaped.open_quotes != doubled.open_quotes) return escaped.open_quotes < doubled.open_quotes;
  return doubled.backslash_pairs > 0 && doubled.single_backslashes == 0 && doubled.doubled == 0;
}

}  // namespace

bool may_have_escapes(std::string_view text, char quote) {
  for (std::size_t place = 0;; place += 2) {
    place = text.find('\\', place);
    if (place >= text.size() - std::min<std::size_t>(1, text.size())) return false;
    if (text[place + 1] == '\\' || text[place + 1] == quote) return true;
  }
}

FoundDialect find_dialect(const TextSample& sample, const Dialect& base, TextMark quote,
                          TextMark escape) {
  Dialect dialect = base;
  const bool given_escape = escape.kind == TextMark::Kind::given;
  dialect.escape = given_escape ? escape.character : '\0';
  dialect.escape_outside = given_escape;
  dialect.quote = '\0';
  if (quote.kind == TextMark::Kind::none) return {dialect, true};
  const Dialect text = dialect;
  dialect.quote = quote.is_automatic() ? '"' : quote.character;
  if (dialect.quote == dialect.escape) {  // some call a doubled quote escaped
    dialect.escape = '\0';
    dialect.escape_outside = false;
  }
  if (!quote.is_automatic() && !escape.is_automatic()) return {dialect, true};
  Fit best = fit(sample, dialect);
  bool escape_known = !escape.is_automatic();
  if (escape.is_automatic() && may_have_escapes(sample.text, dialect.quote)) {
    Dialect escaped = dialect;
    escaped.escape = '\\';
    Fit other = fit(sample, escaped);
    escape_known = best.backslash_pairs + best.single_backslashes > 0;
    if (backslashes_escape(other, best)) {
      best = std::move(other);
      escape_known = true;
    }
  }
  if (quote.is_automatic() && is_text(sample, fit(sample, text), best)) return {text, true};
  return {best.dialect, escape_known};
}

std::string dialect_note(const Dialect& dialect) {
  if (dialect.quote == '\0')
    return "quotes are read as text, since they do not pair up as quotes of cells do "
           "(quote = \"none\"; quote = \"\\\"\" reads them as quotes)";
  if (dialect.escape != '\0')
    return fmt::format(
        "quotes within cells are escaped by '{}' (escape = \"none\" reads it as text)",
        dialect.escape);
  return {};
}

}  // namespace penchant::pipeline
