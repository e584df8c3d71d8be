// SPDX-License-Identifier: Apache-2.0
// 64 bytes at a time become a mask of ends, whose bits become places (as in Langdale and Lemire,
// "Parsing Gigabytes of JSON per Second", VLDB Journal 2019, section 3.1).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "pipeline/tables/field_ends.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
// Keeps clang-format from sorting the two.
#include <hwy/highway.h>

#include "pipeline/tables/field_ends.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::pipeline::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Places in [first, last) of a text; returns their number. `ends` has room for last - first + 8.
std::size_t list_ends(const char* HWY_RESTRICT text, std::size_t first, std::size_t last,
                      char separator, std::uint32_t* HWY_RESTRICT ends) {
  const hn::CappedTag<std::uint8_t, 64> tag;
  const auto separators = hn::Set(tag, static_cast<std::uint8_t>(separator));
  const auto breaks = hn::Set(tag, static_cast<std::uint8_t>('\n'));
  std::size_t count = 0;
  for (std::size_t start = first; start < last; start += 64) {
    std::uint8_t bytes_of_mask[16] = {};  // StoreMaskBits may write 8 bytes at a time
    for (std::size_t i = 0; i < 64; i += hn::Lanes(tag)) {
      const auto bytes = hn::LoadU(tag, reinterpret_cast<const std::uint8_t*>(text + start + i));
      const auto found = hn::Or(hn::Eq(bytes, separators), hn::Eq(bytes, breaks));
      if (hn::Lanes(tag) >= 8) {
        hn::StoreMaskBits(tag, found, bytes_of_mask + i / 8);
      } else {  // without SIMD
        std::uint8_t some[8] = {};
        hn::StoreMaskBits(tag, found, some);
        bytes_of_mask[i / 8] = static_cast<std::uint8_t>(bytes_of_mask[i / 8] | some[0] << i % 8);
      }
    }
    std::uint64_t mask = 0;
    hwy::CopyBytes<8>(bytes_of_mask, &mask);
    if (last - start < 64) mask &= (std::uint64_t{1} << (last - start)) - 1;
    // Eight at a time, whether there are that many or not: no branch depends on a single bit.
    const std::size_t end = count + hwy::PopCount(mask);
    for (; count < end; count += 8) {
      for (std::size_t i = 0; i < 8; ++i) {
        ends[count + i] = static_cast<std::uint32_t>(
            start + (mask == 0 ? 0 : hwy::Num0BitsBelowLS1Bit_Nonzero64(mask)));
        mask &= mask - 1;
      }
    }
    count = end;
  }
  return count;
}

}  // namespace penchant::pipeline::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

namespace penchant::pipeline {

HWY_EXPORT(list_ends);

std::size_t list_field_ends(std::string_view text, char separator,
                            std::vector<std::uint32_t>& ends) {
  constexpr std::size_t kPiece = 4096;
  const auto list = HWY_DYNAMIC_DISPATCH(list_ends);
  std::size_t count = 0;
  for (std::size_t first = 0; first < text.size(); first += kPiece) {
    if (ends.size() < count + kPiece + 8) ends.resize(2 * ends.size() + kPiece + 8);
    count += list(text.data(), first, std::min(text.size(), first + kPiece), separator,
                  ends.data() + count);
  }
  return count;
}

}  // namespace penchant::pipeline

#endif  // HWY_ONCE
