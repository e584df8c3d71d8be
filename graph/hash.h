// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace penchant::graph {

/// A bijection that mixes the bits of a word: the finaliser of MurmurHash3 (Appleby 2011).
constexpr std::uint64_t mix_bits(std::uint64_t word) {
  word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD;
  word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53;
  return word ^ word >> 33;
}

}  // namespace penchant::graph
