// SPDX-License-Identifier: Apache-2.0
#include "pipeline/arrow_cells.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>

#include <arrow/api.h>

#include "pipeline/arrow_status.h"
#include "pipeline/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// The time in milliseconds as text. Seconds too many for them become more digits than int64 has,
/// which no reader of times accepts.
std::string_view format_milliseconds(std::int64_t value, arrow::TimeUnit::type unit,
                                     std::array<char, 64>& buffer) {
  if (unit == arrow::TimeUnit::MICRO) value /= 1000;
  if (unit == arrow::TimeUnit::NANO) value /= 1000000;
  char* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  if (unit == arrow::TimeUnit::SECOND && value != 0) end = std::fill_n(end, 3, '0');
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

/// A double as the shortest text that reads back the same; whole numbers without ".0", so that
/// 17850.0 and 17850 are one id.
std::string_view format_double(double value, std::array<char, 64>& buffer) {
  std::to_chars_result result{};
  if (std::trunc(value) == value && std::abs(value) < 9007199254740992.0) {
    result = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                           static_cast<std::int64_t>(value));
  } else {
    result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  }
  return {buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())};
}

template <typename ArrayType>
void text_cells(const arrow::Array& array, std::vector<std::string_view>& cells) {
  const auto& strings = static_cast<const ArrayType&>(array);
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
    if (numbers.IsNull(i)) {
      cells.emplace_back();
      continue;
    }
    const auto value = numbers.Value(i);
    if constexpr (std::is_floating_point_v<decltype(value)>) {
      cells.push_back(std::isnan(value)
                          ? std::string_view{}
                          : store.add(format_double(static_cast<double>(value), buffer)));
    } else {
      const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                        static_cast<std::int64_t>(value));
      cells.push_back(
          store.add({buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())}));
    }
  }
}

template <typename ArrayType>
void list_cells(const arrow::Array& array, const fs::path& path,
                std::vector<std::string_view>& cells, CellStore& store) {
  const auto& lists = static_cast<const ArrayType&>(array);
  std::vector<std::string_view> elements;
  append_cells(*lists.values(), path, elements, store);
  std::string joined;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    joined.clear();
    if (!lists.IsNull(i)) {
      for (std::int64_t e = lists.value_offset(i);
           e < lists.value_offset(i) + lists.value_length(i); ++e) {
        joined += kListSeparator;  // before each element, so that a list of one is known as a list
        joined += elements[static_cast<std::size_t>(e)];
      }
    }
    cells.push_back(lists.IsNull(i) ? std::string_view{} : store.add(joined));
  }
}

}  // namespace

void append_cells(const arrow::Array& array, const fs::path& path,
                  std::vector<std::string_view>& cells, CellStore& store) {
  std::array<char, 64> buffer{};
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return text_cells<arrow::StringArray>(array, cells);
    case arrow::Type::LARGE_STRING:
      return text_cells<arrow::LargeStringArray>(array, cells);
    case arrow::Type::BINARY:
      return text_cells<arrow::BinaryArray>(array, cells);
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
    case arrow::Type::FLOAT:
      return number_cells<arrow::FloatArray>(array, cells, store);
    case arrow::Type::DOUBLE:
      return number_cells<arrow::DoubleArray>(array, cells, store);
    case arrow::Type::LIST:
      return list_cells<arrow::ListArray>(array, path, cells, store);
    case arrow::Type::LARGE_LIST:
      return list_cells<arrow::LargeListArray>(array, path, cells, store);
    case arrow::Type::TIMESTAMP: {
      const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
      const auto& times = static_cast<const arrow::TimestampArray&>(array);
      for (std::int64_t i = 0; i < array.length(); ++i) {
        cells.push_back(times.IsNull(i)
                            ? std::string_view{}
                            : store.add(format_milliseconds(times.Value(i), unit, buffer)));
      }
      return;
    }
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      std::vector<std::string_view> values;
      append_cells(*coded.dictionary(), path, values, store);
      for (std::int64_t i = 0; i < array.length(); ++i) {
        cells.push_back(coded.IsNull(i) ? std::string_view{}
                                        : values[static_cast<std::size_t>(coded.GetValueIndex(i))]);
      }
      return;
    }
    case arrow::Type::UINT64:
    default:
      // Rare types (64-bit unsigned, decimals, dates): Arrow's own text.
      for (std::int64_t i = 0; i < array.length(); ++i) {
        const auto scalar = take(array.GetScalar(i), path);
        cells.push_back(scalar->is_valid ? store.add(scalar->ToString()) : std::string_view{});
      }
  }
}

}  // namespace penchant::pipeline
