// SPDX-License-Identifier: Apache-2.0
// One input made from another.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penchant::fuzz {

using Random = std::mt19937_64;

inline constexpr std::size_t kLongestInput = std::size_t{16} << 10;

/// Some changes in a row: bits, bytes, pieces left out, doubled or from `other`, numbers at the ends
/// of their types as bytes and as digits, words of formats, constants that the code compares with.
std::string mutated(std::string_view input, std::string_view other,
                    std::span<const std::uint64_t> constants, Random& random);

}  // namespace penchant::fuzz
