// SPDX-License-Identifier: Apache-2.0
// Numbers in text: digits with a decimal sign, a sign and an exponent, as people and programs write
// them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// The number that a text is: "5", "+5", "05", "5.0", "5e0", with blanks around it or not. Nothing
/// for inf, nan, hexadecimal digits, thousands separators and what a double cannot hold. With the
/// decimal sign ',' a point is no part of a number.
std::optional<double> parse_number(std::string_view text, char decimal = '.');

/// Below, at or above 0 where number a is below, equal to or above b. Exact, so that whole numbers
/// that a double cannot tell apart differ (9007199254740993 and ...992) and 0.1 is 0.10. Both texts
/// are numbers to parse_number with some decimal sign.
int compare_numbers(std::string_view a, std::string_view b);

/// What to say behind "expected a number" of a text that is none: that its comma may be a decimal
/// sign, or nothing.
std::string decimal_hint(std::string_view text, char decimal);

/// The text without blanks (spaces and tabs) at its ends.
std::string_view trim(std::string_view text);

}  // namespace penchant::pipeline
