// SPDX-License-Identifier: Apache-2.0
// What a page shows where it cannot show all: entities drawn at random or by their rows, texts cut
// short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace penchant::pipeline {

/// `count` of [0, size), drawn without repetition, ascending; the same for the same substream.
std::vector<std::int64_t> draw_sample(std::int64_t size, std::int64_t count,
                                      std::uint64_t substream);

/// The `count` (at most all) with the most rows, the most first; of equally many the lower id.
std::vector<graph::NodeId> most_frequent(std::span<const std::int64_t> rows, std::int64_t count);

/// `count` ids: the odd-numbered half (1st, 3rd, ...) has the most rows, the others are drawn from
/// the rest at random. All ids by their rows where there are no more.
std::vector<graph::NodeId> frequent_and_drawn(std::span<const std::int64_t> rows,
                                              std::int64_t count, std::uint64_t substream);

/// At most `limit` bytes of UTF-8, cut behind whole characters, with "..." behind them.
std::string shortened(std::string text, std::size_t limit);

}  // namespace penchant::pipeline
