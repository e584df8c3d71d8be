// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/number_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace penchant::pipeline {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> parse_plain(std::string_view text) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// The bare number: no blanks, no plus.
std::string_view bare(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-' && text[1] != '+')
    text.remove_prefix(1);
  return text;
}

/// 0.d1d2d3... x 10^exponent with d1 > 0; zero has no digits.
struct Decimal {
  bool negative = false;
  std::int64_t exponent = 0;
  std::string digits;
};

Decimal to_decimal(std::string_view text) {
  text = bare(text);
  Decimal number;
  if (!text.empty() && text.front() == '-') {
    number.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  bool whole = true;
  for (const char c : text.substr(0, mark)) {
    if (!is_digit(c)) {
      whole = false;
      continue;
    }
    const bool leading_zero = c == '0' && number.digits.empty();
    if (!leading_zero) number.digits += c;
    if (whole) number.exponent += leading_zero ? 0 : 1;
    if (!whole && leading_zero) --number.exponent;
  }
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  if (mark < text.size()) {
    std::string_view power = text.substr(mark + 1);
    if (!power.empty() && power.front() == '+') power.remove_prefix(1);
    std::int64_t shift = 0;  // what is out of range was no number that a double holds, or zero
    std::from_chars(power.data(), power.data() + power.size(), shift);
    constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 4;
    number.exponent += std::clamp(shift, -kFar, kFar);
  }
  if (number.digits.empty()) number = {};
  return number;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return text.substr(0, 0);
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<double> parse_number(std::string_view text, char decimal) {
  if (decimal == '.') {
    if (const auto value = parse_plain(text)) return value;
    const std::string_view number = bare(text);
    return number.size() == text.size() ? std::nullopt : parse_plain(number);
  }
  const std::string_view number = bare(text);
  if (number.find('.') != std::string_view::npos) return std::nullopt;
  const std::size_t sign = number.find(decimal);
  if (sign == std::string_view::npos) return parse_plain(number);
  std::string with_point(number);
  with_point[sign] = '.';  // a second one is left and ends the number
  return parse_plain(with_point);
}

int compare_numbers(std::string_view a, std::string_view b) {
  const Decimal left = to_decimal(a);
  const Decimal right = to_decimal(b);
  const auto sign = [](const Decimal& d) { return d.digits.empty() ? 0 : d.negative ? -1 : 1; };
  if (sign(left) != sign(right)) return sign(left) < sign(right) ? -1 : 1;
  const int larger = left.negative ? -1 : 1;  // the answer where the left one is farther from zero
  if (left.exponent != right.exponent) return left.exponent > right.exponent ? larger : -larger;
  const int order = left.digits.compare(right.digits);  // a digit behind the end is above none
  return order == 0 ? 0 : order > 0 ? larger : -larger;
}

std::string decimal_hint(std::string_view text, char decimal) {
  const std::string_view number = trim(text);
  if (decimal == '.' && number.find(',') != std::string_view::npos &&
      number.find_first_not_of("0123456789,.+-eE") == std::string_view::npos) {
    return " (is the comma its decimal sign? data.decimal = \",\" says so)";
  }
  if (decimal != '.' && parse_number(number))
    return " with a decimal comma (data.decimal = \".\" reads the point)";
  return {};
}

}  // namespace penchant::pipeline
