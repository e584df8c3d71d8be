// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/row_filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {

namespace {

bool takes_list(std::string_view op) {
  return op == "in" || op == "not_in" || op == "prefix" || op == "not_prefix";
}

bool is_quote(char c) { return c == '"' || c == '\''; }

/// Behind the quote that closes the one at the start of `text`; npos if none does.
std::size_t end_of_quoted(std::string_view text) {
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) continue;
    if (i + 1 == text.size() || text[i + 1] != quote) return i + 1;
    ++i;
  }
  return std::string_view::npos;
}

/// The value in quotes that `text` is, or the text itself.
std::string unquoted(std::string_view text) {
  if (text.empty() || !is_quote(text.front()) || end_of_quoted(text) != text.size())
    return std::string(text);
  std::string value;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    value += text[i];
    if (text[i] == text.front()) ++i;  // doubled
  }
  return value;
}

std::vector<std::string> parse_list(std::string_view rest, std::string_view whole) {
  std::vector<std::string> values;
  while (true) {
    rest = trim(rest);
    std::size_t end = rest.find(',');
    if (!rest.empty() && is_quote(rest.front())) {
      const std::size_t behind = end_of_quoted(rest);
      const std::size_t next =
          behind == std::string_view::npos ? behind : rest.find_first_not_of(" \t", behind);
      // A quote mark that does not frame the value is a letter like any other.
      if (behind != std::string_view::npos && (next == std::string_view::npos || rest[next] == ','))
        end = next;
    }
    const std::string_view piece = trim(rest.substr(0, end));
    if (piece.empty()) {
      throw InputError(fmt::format(
          "filter '{}': an empty value in the list; \"\" stands for the empty cell", whole));
    }
    values.push_back(unquoted(piece));
    if (end == std::string_view::npos) return values;
    rest.remove_prefix(end + 1);
  }
}

/// Finds the operator: its place and length with the blank in front of it.
std::pair<std::size_t, std::string_view> find_operator(std::string_view text) {
  for (const std::string_view op :
       {"==", "!=", "<=", ">=", "<", ">", "not_in", "in", "not_prefix", "prefix"}) {
    for (std::size_t place = text.find(op); place != std::string_view::npos;
         place = text.find(op, place + 1)) {
      const std::size_t behind = place + op.size();
      const bool alone =
          place > 0 && text[place - 1] == ' ' && (behind == text.size() || text[behind] == ' ');
      if (alone && !trim(text.substr(0, place)).empty()) return {place, op};
    }
  }
  return {std::string_view::npos, {}};
}

std::optional<bool> parse_truth(std::string_view text) {
  const auto is = [text](std::string_view word) {
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  };
  if (text.size() == 4 && is("true")) return true;
  if (text.size() == 5 && is("false")) return false;
  return std::nullopt;
}

/// Doubles tell apart all numbers of at most 15 digits.
constexpr std::size_t kExactDigits = 15;

}  // namespace

RowFilter parse_filter(std::string_view text) {
  RowFilter filter;
  std::string_view rest = text;
  const std::string_view start = trim(text);
  if (!start.empty() && is_quote(start.front())) {  // a column whose name holds an operator
    const std::size_t end = end_of_quoted(start);
    if (end != std::string_view::npos && end < start.size() && start[end] == ' ' &&
        find_operator(fmt::format("c{}", start.substr(end))).first == 2) {
      filter.column = unquoted(start.substr(0, end));
      rest = start.substr(end);
    }
  }
  const std::string padded = fmt::format("{}{}", filter.column.empty() ? "" : "c", rest);
  const auto [place, op] = find_operator(padded);
  if (place == std::string_view::npos) {
    throw InputError(
        fmt::format("filter '{}': expected 'column op value' with blanks around op and op one of "
                    "==, !=, <, <=, "
                    ">, >=, in, not_in, prefix, not_prefix",
                    text));
  }
  if (filter.column.empty()) filter.column = trim(std::string_view(padded).substr(0, place));
  filter.op = op;
  const std::string_view value = std::string_view(padded).substr(place + op.size());
  if (takes_list(op)) {
    filter.values = parse_list(value, text);
  } else {
    if (trim(value).empty()) {
      throw InputError(fmt::format("filter '{}': no value; \"\" stands for the empty cell", text));
    }
    filter.values.push_back(unquoted(trim(value)));
  }
  return filter;
}

std::string filter_text(const RowFilter& filter) {
  const auto quoted = [](const std::string& text, bool needed) {
    if (!needed) return text;
    std::string result = "\"";
    for (const char c : text) result.append(c == '"' ? 2 : 1, c);
    result += '"';
    return result;
  };
  const bool odd_column = find_operator(filter.column + " ").first != std::string_view::npos ||
                          trim(filter.column).size() != filter.column.size() ||
                          is_quote(filter.column.empty() ? ' ' : filter.column.front());
  std::string text = quoted(filter.column, odd_column) + " " + filter.op + " ";
  for (std::size_t i = 0; i < filter.values.size(); ++i) {
    const std::string& value = filter.values[i];
    const bool needed = value.empty() || is_quote(value.front()) ||
                        trim(value).size() != value.size() ||
                        (takes_list(filter.op) && value.find(',') != std::string::npos);
    if (i > 0) text += ',';
    text += quoted(value, needed);
  }
  return text;
}

FilterRule::FilterRule(const RowFilter& filter, std::size_t column)
    : filter_(filter),
      column_(column),
      reason_(fmt::format("filtered out: not {}", filter_text(filter))) {
  constexpr std::array<std::pair<std::string_view, Operation>, 10> kOperations = {
      {{"==", Operation::listed},
       {"in", Operation::listed},
       {"!=", Operation::not_listed},
       {"not_in", Operation::not_listed},
       {"<", Operation::below},
       {"<=", Operation::at_most},
       {">", Operation::above},
       {">=", Operation::at_least},
       {"prefix", Operation::prefixed},
       {"not_prefix", Operation::not_prefixed}}};
  const auto known = std::find_if(kOperations.begin(), kOperations.end(),
                                  [&](const auto& entry) { return entry.first == filter.op; });
  if (known == kOperations.end()) {
    throw InputError(fmt::format(
        "filter '{} {}': expected one of ==, !=, <, <=, >, >=, in, not_in, prefix, not_prefix",
        filter.column, filter.op));
  }
  operation_ = known->second;
  if (filter.values.empty())
    throw InputError(fmt::format("filter '{} {}' has no value", filter.column, filter.op));
  for (const std::string& text : filter.values) {
    values_.push_back({text, parse_number(text), parse_time_(text), parse_truth(text)});
    any_number_ |= values_.back().number.has_value();
    any_time_ |= values_.back().time.has_value();
    any_truth_ |= values_.back().truth.has_value();
  }
  const bool ordered = operation_ == Operation::below || operation_ == Operation::at_most ||
                       operation_ == Operation::above || operation_ == Operation::at_least;
  if (ordered && !any_number_ && !any_time_) {
    throw InputError(fmt::format("filter '{}': expected a number or an ISO-8601 time behind {}",
                                 filter_text(filter), filter.op));
  }
}

FilterRule::Verdict FilterRule::judge_order(int order) const {
  const bool kept = operation_ == Operation::below     ? order < 0
                    : operation_ == Operation::at_most ? order <= 0
                    : operation_ == Operation::above   ? order > 0
                                                       : order >= 0;
  return kept ? Verdict::keep : Verdict::leave_out;
}

bool FilterRule::is_listed(std::string_view cell, char decimal) const {
  for (const Value& value : values_) {
    if (value.text == cell) return true;
  }
  if (cell.empty()) return false;
  if (any_number_) {
    if (const auto number = parse_number(cell, decimal)) {
      for (const Value& value : values_) {
        if (value.number != number) continue;
        if ((cell.size() <= kExactDigits && value.text.size() <= kExactDigits) ||
            compare_numbers(cell, value.text) == 0)
          return true;
      }
      return false;
    }
  }
  if (any_time_) {
    if (const auto time = parse_time_(cell)) {
      return std::any_of(values_.begin(), values_.end(),
                         [&](const Value& value) { return value.time == time; });
    }
  }
  if (any_truth_) {
    if (const auto truth = parse_truth(cell)) {
      return std::any_of(values_.begin(), values_.end(),
                         [&](const Value& value) { return value.truth == truth; });
    }
  }
  return false;
}

FilterRule::Verdict FilterRule::judge(std::string_view cell, char decimal) const {
  const auto keep_if = [](bool kept) { return kept ? Verdict::keep : Verdict::leave_out; };
  switch (operation_) {
    case Operation::listed:
      return keep_if(is_listed(cell, decimal));
    case Operation::not_listed:
      return keep_if(!is_listed(cell, decimal));
    case Operation::prefixed:
    case Operation::not_prefixed: {
      const bool found = std::any_of(values_.begin(), values_.end(), [&](const Value& value) {
        return cell.starts_with(value.text);
      });
      return keep_if(found == (operation_ == Operation::prefixed));
    }
    default:
      break;
  }
  const Value& limit = values_.front();
  if (limit.number) {
    const auto number = parse_number(cell, decimal);
    if (!number) return Verdict::not_comparable;
    if (*number != *limit.number) return judge_order(*number < *limit.number ? -1 : 1);
    const bool exact = cell.size() <= kExactDigits && limit.text.size() <= kExactDigits;
    return judge_order(exact ? 0 : compare_numbers(cell, limit.text));
  }
  const auto time = parse_time_(cell);
  if (!time) return Verdict::not_comparable;
  return judge_order(*time < *limit.time ? -1 : *time > *limit.time ? 1 : 0);
}

FilterRule::Verdict FilterRule::judge_time(std::string_view milliseconds) const {
  if (!any_time_ || operation_ == Operation::prefixed || operation_ == Operation::not_prefixed)
    return judge(milliseconds);
  std::int64_t time = 0;
  const char* const end = milliseconds.data() + milliseconds.size();
  if (std::from_chars(milliseconds.data(), end, time).ptr != end || milliseconds.empty())
    return judge({});
  if (operation_ == Operation::listed || operation_ == Operation::not_listed) {
    const bool listed = std::any_of(values_.begin(), values_.end(),
                                    [&](const Value& value) { return value.time == time; });
    return listed == (operation_ == Operation::listed) ? Verdict::keep : Verdict::leave_out;
  }
  const Value& limit = values_.front();
  if (!limit.time) return judge(milliseconds);
  return judge_order(time < *limit.time ? -1 : time > *limit.time ? 1 : 0);
}

}  // namespace penchant::pipeline
