// SPDX-License-Identifier: Apache-2.0
// Rows of `penchant bench` as text: an aligned table, one JSON document, JSON lines, CSV, Markdown.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "pipeline/benchmark/bench.h"

namespace penchant::pipeline {

enum class BenchFormat : std::uint8_t { table, json, jsonl, csv, md };
constexpr auto enum_words(BenchFormat) {
  return std::to_array<EnumWord<BenchFormat>>({{BenchFormat::table, "table"},
                                               {BenchFormat::json, "json"},
                                               {BenchFormat::jsonl, "jsonl"},
                                               {BenchFormat::csv, "csv"},
                                               {BenchFormat::md, "md"}});
}

/// Collects rows; each function returns what is to be printed next. Tables are printed row by row
/// with fixed widths, under a heading for each device; JSON at the end.
class BenchOutput {
 public:
  explicit BenchOutput(BenchFormat format) : format_(format) {}
  std::string add(const BenchRow& row);
  std::string finish(const std::vector<std::string>& skipped);

 private:
  /// What stands above the rows of a device, once for all that follow one another.
  std::string heading(const BenchRow& row) const;

  BenchFormat format_;
  std::vector<BenchRow> rows_;
};

/// What --plan prints. Throws InputError for csv and md, which have no form for it.
std::string plan_text(const std::vector<BenchCase>& cases, std::int64_t available,
                      BenchFormat format);

}  // namespace penchant::pipeline
