// SPDX-License-Identifier: Apache-2.0
// Where the fields of delimited text end: the places of separators and line breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

/// Bytes behind a text that list_field_ends() may read.
inline constexpr std::size_t kTextPadding = 64;

/// Writes the places of all `separator`s and LFs of a text to the front of `ends`, which grows as
/// needed; returns how many there are. The text must be shorter than 4 GiB.
std::size_t list_field_ends(std::string_view text, char separator,
                            std::vector<std::uint32_t>& ends);

}  // namespace penchant::pipeline
