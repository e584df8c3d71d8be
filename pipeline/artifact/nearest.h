// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the word that was probably meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

/// Nobody mistypes one letter of a longer word and wants to hear of it.
inline constexpr std::size_t kLongestHint = 64;
/// The entry of `known` nearest to `word` by edit distance, or empty if none is near or `word` is
/// longer than kLongestHint.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace penchant::pipeline
