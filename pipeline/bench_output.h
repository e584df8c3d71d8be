// SPDX-License-Identifier: Apache-2.0
// Rows of `penchant bench` as text: an aligned table, one JSON document, JSON lines, CSV, Markdown.
#pragma once

#include <string>
#include <vector>

#include "pipeline/bench.h"

namespace penchant::pipeline {

enum class BenchFormat : std::uint8_t { table, json, jsonl, csv, md };

/// Collects rows; each function returns what is to be printed next. A table is printed row by row
/// with fixed widths, JSON at the end.
class BenchOutput {
 public:
  explicit BenchOutput(BenchFormat format) : format_(format) {}
  std::string add(const BenchRow& row);
  std::string finish(const std::vector<std::string>& skipped);

 private:
  BenchFormat format_;
  std::vector<BenchRow> rows_;
};

/// What --plan prints.
std::string plan_text(const std::vector<BenchCase>& cases, std::int64_t available,
                      BenchFormat format);

}  // namespace penchant::pipeline
