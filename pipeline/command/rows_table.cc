// SPDX-License-Identifier: Apache-2.0
#include "pipeline/command/rows_table.h"

#include <fmt/core.h>

namespace penchant::pipeline {

std::string rows_table(const char* name, const RowCounts& rows) {
  std::string text = fmt::format("{:<28}{:>12}\n{:<28}{:>12}\n", std::string(name) + " rows read",
                                 rows.read, "  kept", rows.kept);
  for (const auto& reason : rows.rejected) {
    text += fmt::format(
        "  {:<26}{:>12}{}\n", reason.is_error ? "rejected" : "left out", reason.rows,
        "  " + reason.reason + (reason.example.empty() ? "" : " (first: " + reason.example + ")"));
  }
  for (const auto& reason : rows.remarks)
    text += fmt::format("  {:<26}{:>12}  {} (first: {})\n", "of those read", reason.rows,
                        reason.reason, reason.example);
  for (const std::string& note : rows.notes) text += fmt::format("  {}\n", note);
  return text;
}

}  // namespace penchant::pipeline
