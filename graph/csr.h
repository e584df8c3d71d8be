// SPDX-License-Identifier: Apache-2.0
// Compressed sparse rows: the one storage format that leaves graph/ and enters kernels/.
//   row i owns the entries offsets[i] .. offsets[i + 1] of columns and values; columns ascend
//   within a row.
// An empty `values` means that every stored entry is 1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/ids.h"

namespace penchant::graph {

/// Non-owning view of a sparse matrix [num_rows x num_cols]; valid as long as its owner lives.
struct CsrView {
  std::int64_t num_rows = 0;
  std::int64_t num_cols = 0;
  std::span<const EdgeOffset> offsets;  ///< num_rows + 1
  std::span<const NodeId> columns;      ///< num_entries, each in [0, num_cols)
  std::span<const float> values;        ///< num_entries, or empty: all ones

  std::int64_t num_entries() const { return static_cast<std::int64_t>(columns.size()); }
  std::int64_t row_size(std::int64_t row) const { return offsets[at(row) + 1] - offsets[at(row)]; }
  std::span<const NodeId> row(std::int64_t row) const {
    return columns.subspan(at(offsets[at(row)]), at(row_size(row)));
  }
  std::span<const float> row_values(std::int64_t row) const {
    return values.empty() ? values : values.subspan(at(offsets[at(row)]), at(row_size(row)));
  }
  float value(EdgeOffset entry) const { return values.empty() ? 1.0F : values[at(entry)]; }
};

/// Owner of the three arrays.
struct Csr {
  std::int64_t num_rows = 0;
  std::int64_t num_cols = 0;
  std::vector<EdgeOffset> offsets = {0};
  std::vector<NodeId> columns;
  std::vector<float> values;

  CsrView view() const { return {num_rows, num_cols, offsets, columns, values}; }
};

/// One entry of a sparse matrix in coordinate form.
struct Entry {
  NodeId row;
  NodeId column;
  float value;
};

/// What csr_from_entries does with several entries at the same place.
enum class Duplicates { sum, keep_first, keep_last, maximum };

/// Builds sorted CSR from coordinates in O(E + N) (two counting passes). Throws InputError on an id
/// out of range.
Csr csr_from_entries(std::int64_t num_rows, std::int64_t num_cols, std::span<const Entry> entries,
                     Duplicates duplicates = Duplicates::sum);

/// Combines neighbouring entries of equal column; columns must ascend within rows. In place, O(E).
void merge_duplicates(Csr& csr, Duplicates duplicates);

/// The rows named by `rows`, in this order.
Csr select_rows(const CsrView& matrix, std::span<const NodeId> rows);

/// Transposed copy; columns ascend in its rows. O(E + N).
Csr transpose(const CsrView& matrix);

/// Checks every invariant above (sizes, offsets ascending, columns in range and strictly ascending,
/// values finite). Throws InputError that names the first violation.
void validate(const CsrView& matrix);

/// True if the pattern and the values are symmetric (within `tolerance`, absolute). O(E + N), 8
/// bytes a row.
bool is_symmetric(const CsrView& matrix, float tolerance = 0.0F);

}  // namespace penchant::graph
