// SPDX-License-Identifier: Apache-2.0
#include "graph/normalize.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "graph/degrees.h"
#include "graph/error.h"

namespace penchant::graph {

Csr normalize_symmetric(const CsrView& adjacency, SelfLoops self_loops) {
  if (adjacency.num_rows != adjacency.num_cols)
    throw InputError("symmetric normalisation needs a square matrix");
  Csr result;
  if (self_loops == SelfLoops::yes) {
    std::vector<Entry> entries;
    entries.reserve(adjacency.columns.size() + at(adjacency.num_rows));
    for (std::int64_t row = 0; row < adjacency.num_rows; ++row) {
      entries.push_back({static_cast<NodeId>(row), static_cast<NodeId>(row), 1.0F});
      for (EdgeOffset e = adjacency.offsets[at(row)]; e < adjacency.offsets[at(row) + 1]; ++e) {
        entries.push_back({static_cast<NodeId>(row), adjacency.columns[at(e)], adjacency.value(e)});
      }
    }
    result = csr_from_entries(adjacency.num_rows, adjacency.num_cols, entries);
  } else {
    result.num_rows = adjacency.num_rows;
    result.num_cols = adjacency.num_cols;
    result.offsets.assign(adjacency.offsets.begin(), adjacency.offsets.end());
    result.columns.assign(adjacency.columns.begin(), adjacency.columns.end());
    result.values.resize(adjacency.columns.size(), 1.0F);
    if (!adjacency.values.empty())
      result.values.assign(adjacency.values.begin(), adjacency.values.end());
  }
  normalize_symmetric_in_place(result);
  return result;
}

void normalize_symmetric_in_place(Csr& adjacency) {
  if (adjacency.num_rows != adjacency.num_cols)
    throw InputError("symmetric normalisation needs a square matrix");
  if (adjacency.values.empty()) adjacency.values.resize(adjacency.columns.size(), 1.0F);
  const std::vector<float> scale = inverse_roots(row_sums(adjacency.view()));
#pragma omp parallel for schedule(dynamic, 4096)
  for (std::int64_t row = 0; row < adjacency.num_rows; ++row) {
    for (EdgeOffset e = adjacency.offsets[at(row)]; e < adjacency.offsets[at(row) + 1]; ++e) {
      adjacency.values[at(e)] *= scale[at(row)] * scale[at(adjacency.columns[at(e)])];
    }
  }
}

Csr normalize_rows(const CsrView& adjacency) {
  Csr result{adjacency.num_rows,
             adjacency.num_cols,
             {adjacency.offsets.begin(), adjacency.offsets.end()},
             {adjacency.columns.begin(), adjacency.columns.end()},
             std::vector<float>(adjacency.columns.size())};
  for (std::int64_t row = 0; row < adjacency.num_rows; ++row) {
    double sum = 0.0;
    for (EdgeOffset e = adjacency.offsets[at(row)]; e < adjacency.offsets[at(row) + 1]; ++e)
      sum += adjacency.value(e);
    for (EdgeOffset e = adjacency.offsets[at(row)]; e < adjacency.offsets[at(row) + 1]; ++e) {
      result.values[at(e)] = sum > 0.0 ? static_cast<float>(adjacency.value(e) / sum) : 0.0F;
    }
  }
  return result;
}

std::vector<NodeId> invert_permutation(std::span<const NodeId> order) {
  std::vector<NodeId> inverse(order.size(), kNoNode);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const NodeId old = order[i];
    if (old < 0 || at(old) >= order.size() || inverse[at(old)] != kNoNode) {
      throw InputError(
          fmt::format("node order: entry {} is {}, which is out of range or occurs twice", i, old));
    }
    inverse[at(old)] = static_cast<NodeId>(i);
  }
  return inverse;
}

Csr reorder_symmetric(const CsrView& matrix, std::span<const NodeId> order) {
  if (static_cast<std::int64_t>(order.size()) != matrix.num_rows ||
      matrix.num_rows != matrix.num_cols) {
    throw InputError(fmt::format("node order of {} entries for a {} x {} matrix", order.size(),
                                 matrix.num_rows, matrix.num_cols));
  }
  const std::vector<NodeId> inverse = invert_permutation(order);
  Csr result;
  result.num_rows = matrix.num_rows;
  result.num_cols = matrix.num_cols;
  result.columns.reserve(matrix.columns.size());
  result.values.reserve(matrix.values.size());
  std::vector<std::pair<NodeId, float>> row_entries;
  for (const NodeId old : order) {
    row_entries.clear();
    for (EdgeOffset e = matrix.offsets[at(old)]; e < matrix.offsets[at(old) + 1]; ++e) {
      row_entries.emplace_back(inverse[at(matrix.columns[at(e)])], matrix.value(e));
    }
    std::sort(row_entries.begin(), row_entries.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [column, value] : row_entries) {
      result.columns.push_back(column);
      if (!matrix.values.empty()) result.values.push_back(value);
    }
    result.offsets.push_back(static_cast<EdgeOffset>(result.columns.size()));
  }
  return result;
}

std::vector<NodeId> degree_order(const CsrView& matrix) {
  std::vector<NodeId> order(at(matrix.num_rows));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](NodeId a, NodeId b) { return matrix.row_size(a) > matrix.row_size(b); });
  return order;
}

}  // namespace penchant::graph
