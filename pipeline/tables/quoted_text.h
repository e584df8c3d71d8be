// SPDX-License-Identifier: Apache-2.0
// Cells of text with quotes or escapes, or with the line ends of old Macs. Cells are unescaped in
// place, in the block.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/tables/text_block.h"

namespace penchant::pipeline {

/// As split_plain_lines() (plain_text.h), for records that may run over several lines.
bool split_quoted_text(TextBlock& block, const TextShape& shape, std::size_t most_bytes,
                       TextBatch& batch);

/// All fields of one record, unescaped.
std::vector<std::string> split_record(std::string_view record, const Dialect& dialect);

}  // namespace penchant::pipeline
