// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/arrow_cells.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <arrow/api.h>
#include <arrow/extension_type.h>

#include "pipeline/tables/arrow_text.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

template <typename ArrayType>
void text_cells(const arrow::Array& array, std::vector<std::string_view>& cells) {
  const auto& strings = static_cast<const ArrayType&>(array);
  if constexpr (requires { strings.raw_value_offsets(); }) {
    if (array.null_count() == 0 && strings.value_data() != nullptr &&
        strings.value_data()->data() != nullptr) {
      const auto* const offsets = strings.raw_value_offsets();
      const auto* const bytes = reinterpret_cast<const char*>(strings.value_data()->data());
      const std::size_t first = cells.size();
      cells.resize(first + static_cast<std::size_t>(array.length()));
      for (std::int64_t i = 0; i < array.length(); ++i) {
        cells[first + static_cast<std::size_t>(i)] = {
            bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
      }
      return;
    }
  }
  for (std::int64_t i = 0; i < array.length(); ++i) {
    cells.push_back(strings.IsNull(i) ? std::string_view{} : std::string_view(strings.GetView(i)));
    if (!strings.IsNull(i) && cells.back().data() == nullptr)
      cells.back() = std::string_view("", 0);
  }
}

template <typename ArrayType>
void number_cells(const arrow::Array& array, std::vector<std::string_view>& cells,
                  CellStore& store) {
  const auto& numbers = static_cast<const ArrayType&>(array);
  std::array<char, 64> buffer{};
  for (std::int64_t i = 0; i < array.length(); ++i) {
    bool missing = numbers.IsNull(i);
    if constexpr (std::is_floating_point_v<decltype(numbers.Value(i))>)
      missing = missing || std::isnan(numbers.Value(i));
    cells.push_back(missing ? std::string_view{}
                            : store.add(number_text(numbers.Value(i), buffer)));
  }
}

bool is_text(const arrow::DataType& type) {
  const auto id = type.id();
  return arrow::is_base_binary_like(id) || id == arrow::Type::STRING_VIEW ||
         id == arrow::Type::BINARY_VIEW;
}

template <typename ArrayType>
void list_cells(const arrow::Array& array, const fs::path& path,
                std::vector<std::string_view>& cells, CellStore& store) {
  const auto& lists = static_cast<const ArrayType&>(array);
  const std::int64_t num_lists = array.length();
  const std::int64_t first = num_lists == 0 ? 0 : lists.value_offset(0);
  const std::int64_t last =
      num_lists == 0 ? 0 : lists.value_offset(num_lists - 1) + lists.value_length(num_lists - 1);
  std::vector<std::string_view> elements;  // of these lists alone: the array may be a slice
  append_cells(*lists.values()->Slice(first, last - first), path, elements, store, {});
  std::string joined;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    joined.clear();
    if (!lists.IsNull(i)) {
      for (std::int64_t e = lists.value_offset(i);
           e < lists.value_offset(i) + lists.value_length(i); ++e) {
        const std::string_view element = elements[static_cast<std::size_t>(e - first)];
        if (element.empty()) continue;  // null or nothing
        joined += kListSeparator;  // before each element, so that a list of one is known as a list
        joined += element;
      }
    }
    cells.push_back(lists.IsNull(i) ? std::string_view{} : store.add(joined));
  }
}

bool holds_lists(arrow::Type::type id) {
  return id == arrow::Type::LIST || id == arrow::Type::LARGE_LIST ||
         id == arrow::Type::FIXED_SIZE_LIST;
}

CellKind kind_of(const arrow::DataType& type) {
  if (is_text(type)) return CellKind::text;
  const auto id = type.id();
  if (arrow::is_integer(id) || arrow::is_floating(id) || arrow::is_decimal(id))
    return CellKind::number;
  if (holds_lists(id)) {
    const auto& element = *static_cast<const arrow::BaseListType&>(type).value_type();
    if (arrow::is_floating(element.id())) return CellKind::vector;
    const CellKind inside = kind_of(element);
    const bool nested = inside == CellKind::list || inside == CellKind::vector;
    return nested || inside == CellKind::other ? CellKind::other : CellKind::list;
  }
  switch (id) {
    case arrow::Type::NA:
      return CellKind::text;  // without any
    case arrow::Type::BOOL:
      return CellKind::boolean;
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIMESTAMP:
      return CellKind::time;
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return CellKind::clock;
    case arrow::Type::DICTIONARY:
      return kind_of(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::EXTENSION:
      return kind_of(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    default:
      return CellKind::other;
  }
}

}  // namespace

ColumnType column_type(const arrow::DataType& type) {
  const bool has_zone = type.id() == arrow::Type::TIMESTAMP &&
                        !static_cast<const arrow::TimestampType&>(type).timezone().empty();
  return {kind_of(type), type.ToString(), has_zone};
}

bool read_time_numbers(const arrow::Array& array, std::vector<std::int64_t>& numbers) {
  const auto read = [&](const auto& value) {
    numbers.resize(static_cast<std::size_t>(array.length()));
    for (std::int64_t i = 0; i < array.length(); ++i)
      numbers[static_cast<std::size_t>(i)] = array.IsNull(i) ? kNoTimeNumber : value(i);
    return true;
  };
  const auto plain = [&]<typename ArrayType>(const ArrayType& values) {
    return read([&](std::int64_t i) { return static_cast<std::int64_t>(values.Value(i)); });
  };
  switch (array.type_id()) {
    case arrow::Type::INT32:
      return plain(static_cast<const arrow::Int32Array&>(array));
    case arrow::Type::UINT32:
      return plain(static_cast<const arrow::UInt32Array&>(array));
    case arrow::Type::INT64:
      return plain(static_cast<const arrow::Int64Array&>(array));
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIMESTAMP:
      return read([&](std::int64_t i) { return milliseconds_of(array, i); });
    default:
      return false;
  }
}

std::shared_ptr<const DictionaryCells> DictionaryCache::find(const arrow::DictionaryArray& coded,
                                                             const fs::path& path,
                                                             CellStyle style) {
  const std::lock_guard lock(mutex_);
  if (last_ == nullptr || last_->dictionary != coded.data()->dictionary) {
    auto cells = std::make_shared<DictionaryCells>();
    cells->dictionary = coded.data()->dictionary;
    append_cells(*coded.dictionary(), path, cells->values, cells->store, style);
    last_ = std::move(cells);
  }
  return last_;
}

void append_coded_cells(const arrow::DictionaryArray& coded,
                        const std::vector<std::string_view>& values,
                        std::vector<std::string_view>& cells) {
  for (std::int64_t i = 0; i < coded.length(); ++i) {
    cells.push_back(coded.IsNull(i) ? std::string_view{}
                                    : values[static_cast<std::size_t>(coded.GetValueIndex(i))]);
  }
}

void append_cells(const arrow::Array& array, const fs::path& path,
                  std::vector<std::string_view>& cells, CellStore& store, CellStyle style) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return text_cells<arrow::StringArray>(array, cells);
    case arrow::Type::LARGE_STRING:
      return text_cells<arrow::LargeStringArray>(array, cells);
    case arrow::Type::STRING_VIEW:
      return text_cells<arrow::StringViewArray>(array, cells);
    case arrow::Type::BINARY:
      return text_cells<arrow::BinaryArray>(array, cells);
    case arrow::Type::LARGE_BINARY:
      return text_cells<arrow::LargeBinaryArray>(array, cells);
    case arrow::Type::BINARY_VIEW:
      return text_cells<arrow::BinaryViewArray>(array, cells);
    case arrow::Type::INT8:
      return number_cells<arrow::Int8Array>(array, cells, store);
    case arrow::Type::INT16:
      return number_cells<arrow::Int16Array>(array, cells, store);
    case arrow::Type::INT32:
      return number_cells<arrow::Int32Array>(array, cells, store);
    case arrow::Type::INT64:
      return number_cells<arrow::Int64Array>(array, cells, store);
    case arrow::Type::UINT8:
      return number_cells<arrow::UInt8Array>(array, cells, store);
    case arrow::Type::UINT16:
      return number_cells<arrow::UInt16Array>(array, cells, store);
    case arrow::Type::UINT32:
      return number_cells<arrow::UInt32Array>(array, cells, store);
    case arrow::Type::UINT64:
      return number_cells<arrow::UInt64Array>(array, cells, store);
    case arrow::Type::FLOAT:
      return number_cells<arrow::FloatArray>(array, cells, store);
    case arrow::Type::DOUBLE:
      return number_cells<arrow::DoubleArray>(array, cells, store);
    case arrow::Type::EXTENSION:
      return append_cells(*static_cast<const arrow::ExtensionArray&>(array).storage(), path, cells,
                          store, style);
    case arrow::Type::LIST:
      if (!style.nested_as_json) return list_cells<arrow::ListArray>(array, path, cells, store);
      break;
    case arrow::Type::LARGE_LIST:
      if (!style.nested_as_json)
        return list_cells<arrow::LargeListArray>(array, path, cells, store);
      break;
    case arrow::Type::FIXED_SIZE_LIST:
      if (!style.nested_as_json)
        return list_cells<arrow::FixedSizeListArray>(array, path, cells, store);
      break;
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      std::vector<std::string_view> values;
      append_cells(*coded.dictionary(), path, values, store, style);
      append_coded_cells(coded, values, cells);
      return;
    }
    default:
      break;
  }
  const bool as_milliseconds =
      style.times_as_milliseconds && column_type(*array.type()).kind == CellKind::time;
  std::array<char, 64> buffer{};
  std::string text;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i) || array.type_id() == arrow::Type::NA) {
      cells.emplace_back();
    } else if (as_milliseconds) {
      cells.push_back(store.add(number_text(milliseconds_of(array, i), buffer)));
    } else {
      text.clear();
      append_text(array, i, path, text);
      cells.push_back(store.add(text));
    }
  }
}

}  // namespace penchant::pipeline
