// SPDX-License-Identifier: Apache-2.0
#include "graph/csr.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::graph {

namespace {

/// Turns counts in offsets[1..] into offsets.
void accumulate_offsets(std::vector<EdgeOffset>& offsets) {
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
}

void combine(float& kept, float value, Duplicates duplicates) {
  switch (duplicates) {
    case Duplicates::sum:
      kept += value;
      break;
    case Duplicates::keep_first:
      break;
    case Duplicates::keep_last:
      kept = value;
      break;
    case Duplicates::maximum:
      kept = std::max(kept, value);
      break;
  }
}

}  // namespace

// Two stable counting sorts, by column and then by row, leave each row sorted and repeated places
// adjacent in input order.
Csr csr_from_entries(std::int64_t num_rows, std::int64_t num_cols, std::span<const Entry> entries,
                     Duplicates duplicates) {
  std::vector<EdgeOffset> column_starts(at(num_cols) + 1, 0);
  Csr csr;
  csr.num_rows = num_rows;
  csr.num_cols = num_cols;
  csr.offsets.assign(at(num_rows) + 1, 0);
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const Entry& entry = entries[e];
    if (entry.row < 0 || entry.row >= num_rows || entry.column < 0 || entry.column >= num_cols) {
      throw InputError(fmt::format("entry {} at ({}, {}) lies outside a {} x {} matrix", e,
                                   entry.row, entry.column, num_rows, num_cols));
    }
    ++column_starts[at(entry.column) + 1];
    ++csr.offsets[at(entry.row) + 1];
  }
  accumulate_offsets(column_starts);
  accumulate_offsets(csr.offsets);

  std::vector<EdgeOffset> by_column(entries.size());
  for (std::size_t e = 0; e < entries.size(); ++e) {
    by_column[at(column_starts[at(entries[e].column)]++)] = static_cast<EdgeOffset>(e);
  }
  csr.columns.resize(entries.size());
  csr.values.resize(entries.size());
  std::vector<EdgeOffset> next(csr.offsets.begin(), csr.offsets.end() - 1);
  for (const EdgeOffset e : by_column) {
    const Entry& entry = entries[at(e)];
    const auto place = at(next[at(entry.row)]++);
    csr.columns[place] = entry.column;
    csr.values[place] = entry.value;
  }

  merge_duplicates(csr, duplicates);
  return csr;
}

void merge_duplicates(Csr& csr, Duplicates duplicates) {
  const bool has_values = !csr.values.empty();
  std::size_t kept = 0;
  std::size_t first = 0;
  for (std::int64_t row = 0; row < csr.num_rows; ++row) {
    const std::size_t last = at(csr.offsets[at(row) + 1]);
    const std::size_t row_start = kept;
    for (; first < last; ++first) {
      if (kept > row_start && csr.columns[kept - 1] == csr.columns[first]) {
        if (has_values) combine(csr.values[kept - 1], csr.values[first], duplicates);
        continue;
      }
      csr.columns[kept] = csr.columns[first];
      if (has_values) csr.values[kept] = csr.values[first];
      ++kept;
    }
    csr.offsets[at(row) + 1] = static_cast<EdgeOffset>(kept);
  }
  csr.columns.resize(kept);
  if (has_values) csr.values.resize(kept);
}

Csr select_rows(const CsrView& matrix, std::span<const NodeId> rows) {
  Csr selected;
  selected.num_rows = static_cast<std::int64_t>(rows.size());
  selected.num_cols = matrix.num_cols;
  for (const NodeId row : rows) {
    const auto columns = matrix.row(row);
    const auto values = matrix.row_values(row);
    selected.columns.insert(selected.columns.end(), columns.begin(), columns.end());
    selected.values.insert(selected.values.end(), values.begin(), values.end());
    selected.offsets.push_back(static_cast<EdgeOffset>(selected.columns.size()));
  }
  return selected;
}

Csr transpose(const CsrView& matrix) {
  Csr result;
  result.num_rows = matrix.num_cols;
  result.num_cols = matrix.num_rows;
  result.offsets.assign(at(matrix.num_cols) + 1, 0);
  for (const NodeId column : matrix.columns) ++result.offsets[at(column) + 1];
  accumulate_offsets(result.offsets);
  result.columns.resize(matrix.columns.size());
  result.values.resize(matrix.values.size());
  std::vector<EdgeOffset> next(result.offsets.begin(), result.offsets.end() - 1);
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    for (EdgeOffset e = matrix.offsets[at(row)]; e < matrix.offsets[at(row) + 1]; ++e) {
      const auto place = at(next[at(matrix.columns[at(e)])]++);
      result.columns[place] = static_cast<NodeId>(row);
      if (!matrix.values.empty()) result.values[place] = matrix.values[at(e)];
    }
  }
  return result;
}

void validate(const CsrView& matrix) {
  if (matrix.num_rows < 0 || matrix.num_cols < 0) throw InputError("CSR: negative extent");
  if (matrix.offsets.size() != at(matrix.num_rows) + 1) {
    throw InputError(fmt::format("CSR: {} offsets for {} rows, expected {}", matrix.offsets.size(),
                                 matrix.num_rows, matrix.num_rows + 1));
  }
  if (matrix.offsets.front() != 0 || matrix.offsets.back() != matrix.num_entries()) {
    throw InputError(fmt::format("CSR: offsets run from {} to {}, expected 0 to {}",
                                 matrix.offsets.front(), matrix.offsets.back(),
                                 matrix.num_entries()));
  }
  if (!matrix.values.empty() && matrix.values.size() != matrix.columns.size()) {
    throw InputError(
        fmt::format("CSR: {} values for {} columns", matrix.values.size(), matrix.columns.size()));
  }
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    const EdgeOffset last = matrix.offsets[at(row) + 1];
    if (last > matrix.num_entries())
      throw InputError(
          fmt::format("CSR: row {} ends at entry {} of {}", row, last, matrix.num_entries()));
    if (matrix.row_size(row) < 0)
      throw InputError(fmt::format("CSR: offsets descend at row {}", row));
  }
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    const EdgeOffset first = matrix.offsets[at(row)];
    const EdgeOffset last = matrix.offsets[at(row) + 1];
    for (EdgeOffset e = first; e < last; ++e) {
      const NodeId column = matrix.columns[at(e)];
      if (column < 0 || column >= matrix.num_cols) {
        throw InputError(fmt::format("CSR: row {} has column {}, expected 0 to {}", row, column,
                                     matrix.num_cols - 1));
      }
      if (e > first && matrix.columns[at(e - 1)] >= column) {
        throw InputError(
            fmt::format("CSR: columns of row {} do not ascend strictly at entry {}", row, e));
      }
      if (!matrix.values.empty() && !std::isfinite(matrix.values[at(e)])) {
        throw InputError(fmt::format("CSR: value {} of row {} is not finite", e, row));
      }
    }
  }
}

// Rows are walked upwards, so that the entries (i, j) of a column j come in the order in which row
// j stores its mirrored ones: a place in each row takes the place of a transposed copy.
bool is_symmetric(const CsrView& matrix, float tolerance) {
  if (matrix.num_rows != matrix.num_cols) return false;
  const auto starts = matrix.offsets.first(at(matrix.num_rows));
  std::vector<EdgeOffset> next(starts.begin(), starts.end());
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    for (EdgeOffset e = matrix.offsets[at(row)]; e < matrix.offsets[at(row) + 1]; ++e) {
      const auto column = at(matrix.columns[at(e)]);
      const EdgeOffset mirrored = next[column]++;
      if (mirrored == matrix.offsets[column + 1] || matrix.columns[at(mirrored)] != row)
        return false;
      if (!matrix.values.empty() &&
          !(std::abs(matrix.values[at(e)] - matrix.values[at(mirrored)]) <= tolerance))
        return false;
    }
  }
  return true;
}

}  // namespace penchant::graph
