// SPDX-License-Identifier: Apache-2.0
// Cells of Arrow arrays as text, whatever their type. For the files that include Arrow only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

#include <arrow/array.h>

#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

/// Text of cells that are not text already. Views stay valid because pieces are only appended and
/// never reallocated.
class CellStore {
 public:
  void clear() { used_ = 0, block_ = 0; }
  std::string_view add(std::string_view text) {
    constexpr std::size_t kBlock = std::size_t{1} << 20;
    if (blocks_.empty() || used_ + text.size() > blocks_[block_].size()) {
      if (!blocks_.empty()) ++block_;
      if (block_ >= blocks_.size()) blocks_.emplace_back();
      if (blocks_[block_].size() < std::max(kBlock, text.size()))
        blocks_[block_].resize(std::max(kBlock, text.size()));
      used_ = 0;
    }
    char* place = blocks_[block_].data() + used_;
    std::copy(text.begin(), text.end(), place);
    used_ += text.size();
    return {place, text.size()};
  }

 private:
  std::vector<std::vector<char>> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

/// How cells are written where there is a choice.
struct CellStyle {
  bool times_as_milliseconds = false;  ///< dates and timestamps as digits since 1970, else ISO-8601
  bool nested_as_json = false;         ///< lists as JSON, else their values behind kListSeparator
};

/// Appends the cells of one array of any type as text; views into the array or `store`. Numbers are
/// as people write them (100 for 100.0 and for the decimal 100.00), NaN is null, times have all
/// their digits, structs and maps are JSON.
void append_cells(const arrow::Array& array, const std::filesystem::path& path,
                  std::vector<std::string_view>& cells, CellStore& store, CellStyle style);

/// What the cells of a column of this type are.
ColumnType column_type(const arrow::DataType& type);

}  // namespace penchant::pipeline
