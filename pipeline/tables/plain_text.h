// SPDX-License-Identifier: Apache-2.0
// Cells of text whose lines are records and whose cells are as they stand, the shape of almost
// every log: docs/decisions/0016-plain-text.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pipeline/tables/text_block.h"

namespace penchant::pipeline {

/// Appends the next lines of a block, about `most_bytes` of text, to an empty batch; false if none
/// is left. Lines are counted from 0 at the start of the block. `ends` is working memory.
bool split_plain_lines(TextBlock& block, const TextShape& shape, std::size_t most_bytes,
                       std::vector<std::uint32_t>& ends, TextBatch& batch);

}  // namespace penchant::pipeline
