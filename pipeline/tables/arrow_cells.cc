// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/arrow_cells.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include <arrow/api.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/arrow_status.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

std::int64_t per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1000;
    case arrow::TimeUnit::MICRO:
      return 1000000;
    case arrow::TimeUnit::NANO:
      break;
  }
  return 1000000000;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

/// Rounded down; the largest number, which is no time, where it does not fit.
std::int64_t to_milliseconds(std::int64_t value, std::int64_t units_per_second) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  if (units_per_second >= 1000) return floor_divide(value, units_per_second / 1000);
  return value > kLargest / 1000 || value < -kLargest / 1000 ? kLargest : value * 1000;
}

/// A number as the shortest text that reads back the same; whole ones without ".0", so that 17850.0
/// and 17850 are one id.
template <typename Number>
std::string_view number_text(Number value, std::array<char, 64>& buffer) {
  std::to_chars_result result{};
  char* const end = buffer.data() + buffer.size();
  if constexpr (std::is_floating_point_v<Number>) {
    constexpr double kWhole = 9007199254740992.0;
    if (std::trunc(value) == value && std::abs(static_cast<double>(value)) < kWhole)
      result = std::to_chars(buffer.data(), end, static_cast<std::int64_t>(value));
    else
      result = std::to_chars(buffer.data(), end, value);
  } else if constexpr (std::is_signed_v<Number>) {
    result = std::to_chars(buffer.data(), end, static_cast<std::int64_t>(value));
  } else {
    result = std::to_chars(buffer.data(), end, static_cast<std::uint64_t>(value));
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
    bool missing = numbers.IsNull(i);
    if constexpr (std::is_floating_point_v<decltype(numbers.Value(i))>)
      missing = missing || std::isnan(numbers.Value(i));
    cells.push_back(missing ? std::string_view{}
                            : store.add(number_text(numbers.Value(i), buffer)));
  }
}

/// Counts of a unit, by type: the milliseconds since 1970 of a date or timestamp.
std::int64_t milliseconds_of(const arrow::Array& array, std::int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::DATE32:
      return static_cast<const arrow::Date32Array&>(array).Value(i) * std::int64_t{86400000};
    case arrow::Type::DATE64:
      return static_cast<const arrow::Date64Array&>(array).Value(i);
    default:
      return to_milliseconds(
          static_cast<const arrow::TimestampArray&>(array).Value(i),
          per_second(static_cast<const arrow::TimestampType&>(*array.type()).unit()));
  }
}

/// "10:00:00" and the fraction with all digits of its unit, if there is one.
void append_clock(std::int64_t units, std::int64_t units_per_second, std::string& out) {
  const std::int64_t second = units / units_per_second;
  out += fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
  const std::int64_t fraction = units % units_per_second;
  if (fraction == 0) return;
  const int digits = units_per_second == 1000 ? 3 : units_per_second == 1000000 ? 6 : 9;
  out += fmt::format(".{:0{}}", fraction, digits);
}

void append_date(std::int64_t days, std::string& out) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  out += fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

void append_timestamp(const arrow::TimestampArray& array, std::int64_t i, std::string& out) {
  constexpr std::int64_t kLastSecond = 253402300799;  // of the year 9999
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  const std::int64_t scale = per_second(type.unit());
  const std::int64_t value = array.Value(i);
  const std::int64_t second = floor_divide(value, scale);
  if (second < -kLastSecond / 5 || second > kLastSecond) {
    out += std::to_string(value);  // no date that people write
    return;
  }
  const std::int64_t day = floor_divide(second, 86400);
  append_date(day, out);
  out += 'T';
  append_clock(value - day * 86400 * scale, scale, out);
  if (!type.timezone().empty()) out += 'Z';  // it is stored as UTC
}

void append_decimal(std::string text, std::string& out) {
  if (text.find('.') != std::string::npos && text.find_first_of("eE") == std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  out += text;
}

const arrow::Array& storage_of(const arrow::Array& array) {
  return *static_cast<const arrow::ExtensionArray&>(array).storage();
}

void append_json(const arrow::Array& array, std::int64_t i, const fs::path& path, std::string& out);

template <typename ArrayType>
void append_json_list(const arrow::Array& array, std::int64_t i, const fs::path& path,
                      std::string& out) {
  const auto& lists = static_cast<const ArrayType&>(array);
  out += '[';
  const std::int64_t first = lists.value_offset(i);
  for (std::int64_t e = first; e < first + lists.value_length(i); ++e) {
    if (e > first) out += ',';
    append_json(*lists.values(), e, path, out);
  }
  out += ']';
}

/// The text of a value that is there; nested ones as JSON.
void append_text(const arrow::Array& array, std::int64_t i, const fs::path& path,
                 std::string& out) {
  std::array<char, 64> buffer{};
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      out += static_cast<const arrow::BooleanArray&>(array).Value(i) ? "true" : "false";
      return;
    case arrow::Type::HALF_FLOAT:
      out += number_text(
          arrow::util::Float16::FromBits(static_cast<const arrow::HalfFloatArray&>(array).Value(i))
              .ToFloat(),
          buffer);
      return;
    case arrow::Type::DATE32:
      return append_date(static_cast<const arrow::Date32Array&>(array).Value(i), out);
    case arrow::Type::DATE64:
      return append_date(
          floor_divide(static_cast<const arrow::Date64Array&>(array).Value(i), 86400000), out);
    case arrow::Type::TIMESTAMP:
      return append_timestamp(static_cast<const arrow::TimestampArray&>(array), i, out);
    case arrow::Type::TIME32:
      return append_clock(static_cast<const arrow::Time32Array&>(array).Value(i),
                          per_second(static_cast<const arrow::Time32Type&>(*array.type()).unit()),
                          out);
    case arrow::Type::TIME64:
      return append_clock(static_cast<const arrow::Time64Array&>(array).Value(i),
                          per_second(static_cast<const arrow::Time64Type&>(*array.type()).unit()),
                          out);
    case arrow::Type::DECIMAL32:
      return append_decimal(static_cast<const arrow::Decimal32Array&>(array).FormatValue(i), out);
    case arrow::Type::DECIMAL64:
      return append_decimal(static_cast<const arrow::Decimal64Array&>(array).FormatValue(i), out);
    case arrow::Type::DECIMAL128:
      return append_decimal(static_cast<const arrow::Decimal128Array&>(array).FormatValue(i), out);
    case arrow::Type::DECIMAL256:
      return append_decimal(static_cast<const arrow::Decimal256Array&>(array).FormatValue(i), out);
    case arrow::Type::DURATION:
      out += number_text(static_cast<const arrow::DurationArray&>(array).Value(i), buffer);
      return;
    case arrow::Type::FIXED_SIZE_BINARY:
      for (const char byte : static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(i))
        out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
      return;
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::MAP:
    case arrow::Type::STRUCT:
      return append_json(array, i, path, out);
    default:
      out += take(array.GetScalar(i), path)->ToString();
  }
}

bool is_text(const arrow::DataType& type) {
  const auto id = type.id();
  return arrow::is_base_binary_like(id) || id == arrow::Type::STRING_VIEW ||
         id == arrow::Type::BINARY_VIEW;
}

void append_json(const arrow::Array& array, std::int64_t i, const fs::path& path,
                 std::string& out) {
  if (array.IsNull(i) || array.type_id() == arrow::Type::NA) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case arrow::Type::LIST:
      return append_json_list<arrow::ListArray>(array, i, path, out);
    case arrow::Type::LARGE_LIST:
      return append_json_list<arrow::LargeListArray>(array, i, path, out);
    case arrow::Type::FIXED_SIZE_LIST:
      return append_json_list<arrow::FixedSizeListArray>(array, i, path, out);
    case arrow::Type::MAP:  // as a list of [key, value]: keys need not be text
      return append_json_list<arrow::MapArray>(array, i, path, out);
    case arrow::Type::STRUCT: {
      const auto& parts = static_cast<const arrow::StructArray&>(array);
      out += '{';
      for (int field = 0; field < parts.num_fields(); ++field) {
        const std::string name = replace_broken_utf8(parts.struct_type()->field(field)->name());
        if (field > 0) out += ',';
        out += nlohmann::json(name).dump();
        out += ':';
        append_json(*parts.field(field), i, path, out);
      }
      out += '}';
      return;
    }
    default:
      break;
  }
  std::vector<std::string_view> cells;
  CellStore store;
  append_cells(*array.Slice(i, 1), path, cells, store, {});
  if (cells.front().data() == nullptr) {
    out += "null";  // NaN
  } else if (const auto kind = column_type(*array.type()).kind;
             kind == CellKind::number || kind == CellKind::boolean) {
    out += cells.front();
  } else {
    out += nlohmann::json(replace_broken_utf8(cells.front())).dump();
  }
}

template <typename ArrayType>
void list_cells(const arrow::Array& array, const fs::path& path,
                std::vector<std::string_view>& cells, CellStore& store) {
  const auto& lists = static_cast<const ArrayType&>(array);
  std::vector<std::string_view> elements;
  append_cells(*lists.values(), path, elements, store, {});
  std::string joined;
  for (std::int64_t i = 0; i < array.length(); ++i) {
    joined.clear();
    if (!lists.IsNull(i)) {
      for (std::int64_t e = lists.value_offset(i);
           e < lists.value_offset(i) + lists.value_length(i); ++e) {
        const std::string_view element = elements[static_cast<std::size_t>(e)];
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
      return append_cells(storage_of(array), path, cells, store, style);
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
      for (std::int64_t i = 0; i < array.length(); ++i) {
        cells.push_back(coded.IsNull(i) ? std::string_view{}
                                        : values[static_cast<std::size_t>(coded.GetValueIndex(i))]);
      }
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
