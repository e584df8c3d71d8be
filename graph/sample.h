// SPDX-License-Identifier: Apache-2.0
// Samples without repetition.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "graph/random.h"

namespace penchant::graph {

/// `count` (at most all) of [0, size), ascending; the same for the same seed, stream and substream.
template <typename Id>
std::vector<Id> draw_sample(Seed seed, Stream stream, std::uint64_t substream, std::int64_t size,
                            std::int64_t count) {
  std::vector<Id> drawn;
  if (size <= 0) return drawn;
  const Permutation shuffled(seed, stream, substream, static_cast<std::uint64_t>(size));
  for (std::int64_t i = 0; i < std::min(size, count); ++i)
    drawn.push_back(static_cast<Id>(shuffled(static_cast<std::uint64_t>(i))));
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace penchant::graph
