// SPDX-License-Identifier: Apache-2.0
// Blocks of a file through stages that keep all threads busy although some of them must see the
// blocks in order. The result does not depend on the number of threads.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace penchant::pipeline {

/// What happens to a block, named by the slot (0 .. num_slots - 1) that holds it. For each block:
/// fetch, then encode, then the ordered stages side by side, then commit.
struct BlockStages {
  std::function<bool(std::size_t)> fetch;  ///< one block at a time, in order; false: no more blocks
  std::function<void(std::size_t)> encode;                ///< any number of blocks at a time
  std::vector<std::function<void(std::size_t)>> ordered;  ///< each one block at a time, in order
  std::function<void(std::size_t)> commit;                ///< one block at a time, in order
};

/// Runs until fetch returns false and all blocks are committed, on OpenMP's threads. The first
/// exception in the order of blocks, and within a block in that of its stages, is thrown once every
/// block before it is committed.
void run_block_stages(const BlockStages& stages, std::size_t num_slots);

}  // namespace penchant::pipeline
