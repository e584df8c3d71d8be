// SPDX-License-Identifier: Apache-2.0
// Data that goes to a person. What stands in a log may hold escape sequences that recolour or
// retitle a terminal, marks that turn the direction of writing round, bytes that are no text, and
// a megabyte of them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// About as much of a value as a message quotes.
inline constexpr std::size_t kQuotedBytes = 80;
/// As much as of a message about several values.
inline constexpr std::size_t kMessageBytes = 1000;
/// Where the data are what was asked for.
inline constexpr std::size_t kWholeText = std::string_view::npos;

/// Control characters, marks of direction and broken UTF-8 as \n, \t, \x1b or \u202e; cut behind
/// whole characters to at most `limit` bytes of the text, with "..." and its length behind it.
std::string printable(std::string_view text, std::size_t limit = kQuotedBytes);

/// The same for a whole message of ours: its lines stay lines.
std::string printable_message(std::string_view text, std::size_t limit = kWholeText);
/// Names with commas between them, the first 30 at most, and how many there are.
std::string printable_list(std::span<const std::string> names);

}  // namespace penchant::pipeline
