// SPDX-License-Identifier: Apache-2.0
// Cells of Arrow arrays as text, whatever their type. For the files that include Arrow only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/array_dict.h>

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

/// Whole numbers of up to 64 bits with a sign, and dates and timestamps as milliseconds since 1970,
/// without a way through text; kNoTimeNumber: null. False for an array of another type.
bool read_time_numbers(const arrow::Array& array, std::vector<std::int64_t>& numbers);

/// The values of a dictionary as text, made once for all arrays that are coded by it.
struct DictionaryCells {
  std::shared_ptr<arrow::ArrayData> dictionary;  ///< kept, so that no other has its address
  CellStore store;
  std::vector<std::string_view> values;
};

/// The dictionary of a column, in which other blocks may have another; threads may ask at once.
class DictionaryCache {
 public:
  /// append_cells() of a block's dictionary.
  std::shared_ptr<const DictionaryCells> find(const arrow::DictionaryArray& coded,
                                              const std::filesystem::path& path, CellStyle style);

 private:
  std::mutex mutex_;
  std::shared_ptr<const DictionaryCells> last_;
};

/// Appends the cells of an array whose dictionary is known as text.
void append_coded_cells(const arrow::DictionaryArray& coded,
                        const std::vector<std::string_view>& values,
                        std::vector<std::string_view>& cells);

/// What the cells of a column of this type are.
ColumnType column_type(const arrow::DataType& type);

}  // namespace penchant::pipeline
