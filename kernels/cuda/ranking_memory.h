// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penchant::kernels::cuda {

/// What topk and rank_counts keep between calls (ranking.cuh); Memory is a Scratch (handles.h) or
/// the emulation's.
template <typename Memory>
struct RankingMemory {
  template <typename... Arguments>
  explicit RankingMemory(const Arguments&... arguments)
      : tiles(arguments...),
        last_items(arguments...),
        excluded(arguments...),
        targets(arguments...),
        own(arguments...) {}
  Memory tiles;       ///< two of scores [queries x items]
  Memory last_items;  ///< the last tile of items, filled up
  Memory excluded;    ///< CSR of excluded items
  Memory targets;     ///< and of targets
  Memory own;         ///< the targets' scores
};

}  // namespace penchant::kernels::cuda
