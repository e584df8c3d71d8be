// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/arrow_text.h"

#include <chrono>
#include <limits>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/arrow_cells.h"
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

}  // namespace

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

}  // namespace penchant::pipeline
