// SPDX-License-Identifier: Apache-2.0
// Cells of attributes: which are missing or broken, and what the others are kept as.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

bool is_missing(std::string_view cell, const std::vector<std::string>& spellings);
/// Adds one cell to an attribute: the first value of an item that is neither missing nor broken
/// UTF-8 counts. not_needed: the item has one, or this is none.
enum class CellUse { taken, not_needed, broken };
CellUse add_attribute_cell(RawAttribute& attribute, std::string_view raw_item,
                           std::string_view cell, const std::vector<std::string>& missing);
/// How a cell that is broken UTF-8 is counted and shown.
std::string bad_cell_reason(const AttributeColumn& column);
std::string bad_cell_example(const AttributeColumn& column, std::string_view cell);
/// What a cell of an attribute is kept as.
std::string attribute_value(const AttributeColumn& column, std::string_view cell);

}  // namespace penchant::pipeline
