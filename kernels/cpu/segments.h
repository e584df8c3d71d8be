// SPDX-License-Identifier: Apache-2.0
// The check of Segments shared by the ops that take them.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cpu/check.h"

namespace penchant::kernels {

/// Throws InputError unless the offsets start at 0, ascend and end at `rows`. Returns the number of
/// sequences.
inline std::int64_t require_segments(const char* op, const Segments& segments, std::int64_t rows) {
  const auto& offsets = segments.offsets;
  bool valid = offsets.empty() ? rows == 0 : offsets.front() == 0 && offsets.back() == rows;
  for (std::size_t b = 1; b < offsets.size() && valid; ++b) valid = offsets[b] >= offsets[b - 1];
  if (!valid) {
    throw InputError(
        fmt::format("{}: offsets of the sequences do not ascend from 0 to the {} rows", op, rows));
  }
  return offsets.empty() ? 0 : static_cast<std::int64_t>(offsets.size()) - 1;
}

}  // namespace penchant::kernels
