// SPDX-License-Identifier: Apache-2.0
#include "graph/edge_blocks.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "graph/error.h"
#include "graph/parallel.h"

namespace penchant::graph {

namespace {

constexpr std::int64_t kBlockEdges = 4096;
constexpr std::int64_t kRowsPerTask = 1024;

/// Calls visit(row, column) for every stored place of every edge, on several threads.
template <typename Visit>
void visit_entries(std::int64_t num_rows, std::int64_t num_cols, std::int64_t num_edges,
                   const EdgeBlocks& edges, Direction direction, Visit visit) {
  const std::int64_t num_blocks = (num_edges + kBlockEdges - 1) / kBlockEdges;
  parallel_for(num_blocks, 16, [&](const Share& blocks) {
    std::vector<Edge> block(at(std::min(kBlockEdges, std::max<std::int64_t>(num_edges, 0))));
    for (const std::int64_t b : blocks) {
      const std::int64_t first = b * kBlockEdges;
      const std::span<Edge> filled(block.data(), at(std::min(kBlockEdges, num_edges - first)));
      edges(first, filled);
      for (const Edge& edge : filled) {
        if (edge.row == kNoNode) continue;
        PENCHANT_ASSERT(edge.row >= 0 && edge.row < num_rows && edge.column >= 0 &&
                        edge.column < num_cols);
        if (direction == Direction::both && edge.row == edge.column) continue;
        visit(edge.row, edge.column);
        if (direction == Direction::both) visit(edge.column, edge.row);
      }
    }
  });
}

/// Sorts every row and leaves each column once; closes the gaps.
void sort_and_merge_rows(Csr& csr) {
  std::vector<EdgeOffset> sizes(at(csr.num_rows));
#pragma omp parallel for schedule(dynamic, kRowsPerTask)
  for (std::int64_t row = 0; row < csr.num_rows; ++row) {
    const auto first = csr.columns.begin() + csr.offsets[at(row)];
    const auto last = csr.columns.begin() + csr.offsets[at(row) + 1];
    std::sort(first, last);
    sizes[at(row)] = std::unique(first, last) - first;
  }
  EdgeOffset kept = 0;
  for (std::int64_t row = 0; row < csr.num_rows; ++row) {
    const auto first = csr.columns.begin() + csr.offsets[at(row)];
    if (csr.offsets[at(row)] != kept)
      std::copy(first, first + sizes[at(row)], csr.columns.begin() + kept);
    csr.offsets[at(row)] = kept;
    kept += sizes[at(row)];
  }
  csr.offsets[at(csr.num_rows)] = kept;
  csr.columns.resize(at(kept));
}

}  // namespace

Csr csr_from_edge_blocks(std::int64_t num_rows, std::int64_t num_cols, std::int64_t num_edges,
                         const EdgeBlocks& edges, Direction direction) {
  PENCHANT_ASSERT(direction == Direction::as_drawn || num_rows == num_cols);
  Csr csr;
  csr.num_rows = num_rows;
  csr.num_cols = num_cols;
  csr.offsets.assign(at(num_rows) + 1, 0);
  visit_entries(num_rows, num_cols, num_edges, edges, direction, [&](NodeId row, NodeId) {
#pragma omp atomic
    ++csr.offsets[at(row) + 1];
  });
  std::partial_sum(csr.offsets.begin(), csr.offsets.end(), csr.offsets.begin());
  csr.columns.resize(at(csr.offsets.back()));
  {
    std::vector<EdgeOffset> next(csr.offsets.begin(), csr.offsets.end() - 1);
    visit_entries(num_rows, num_cols, num_edges, edges, direction, [&](NodeId row, NodeId column) {
      EdgeOffset place = 0;
#pragma omp atomic capture
      place = next[at(row)]++;
      csr.columns[at(place)] = column;
    });
  }
  sort_and_merge_rows(csr);
  return csr;
}

}  // namespace penchant::graph
