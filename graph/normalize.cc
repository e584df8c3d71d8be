// SPDX-License-Identifier: Apache-2.0
#include "graph/normalize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::graph {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

float value_at(const CsrView& matrix, EdgeOffset entry) {
  return matrix.values.empty() ? 1.0F : matrix.values[at(entry)];
}

/// 1 / sqrt(sum of the row), or 0 for a row without weight.
std::vector<float> inverse_root_degrees(const CsrView& matrix) {
  std::vector<float> result(at(matrix.num_rows));
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    double degree = 0.0;
    for (EdgeOffset e = matrix.offsets[at(row)]; e < matrix.offsets[at(row) + 1]; ++e)
      degree += value_at(matrix, e);
    result[at(row)] = degree > 0.0 ? static_cast<float>(1.0 / std::sqrt(degree)) : 0.0F;
  }
  return result;
}

/// One block of the propagation graph: `edges` from nodes row_offset .. to nodes column_offset ..,
/// normalised and weighted.
struct Block {
  Csr edges;
  std::vector<float> row_scale;
  std::vector<float> column_scale;
  std::int64_t row_offset;
  std::int64_t column_offset;
  float weight;
};

void append_relation(std::vector<Block>& blocks, Csr edges, std::int64_t row_offset,
                     std::int64_t column_offset, float weight) {
  Csr reversed = transpose(edges.view());
  std::vector<float> row_scale = inverse_root_degrees(edges.view());
  std::vector<float> column_scale = inverse_root_degrees(reversed.view());
  const bool square = row_offset == column_offset;
  blocks.push_back({std::move(edges), row_scale, column_scale, row_offset, column_offset, weight});
  if (!square) {
    blocks.push_back({std::move(reversed), std::move(column_scale), std::move(row_scale),
                      column_offset, row_offset, weight});
  }
}

}  // namespace

PropagationGraph build_propagation_graph(const UserItemGraph& user_item, const ItemGraph& items) {
  PropagationGraph graph;
  graph.num_users = user_item.num_users;
  graph.num_items = user_item.num_items;

  std::vector<Block> blocks;
  append_relation(blocks, user_item.user_items, 0, graph.num_users, 1.0F);
  std::int64_t next_hub = graph.num_users + graph.num_items;
  for (const Relation& relation : items.relations) {
    const std::int64_t column_offset = relation.num_hubs == 0 ? graph.num_users : next_hub;
    append_relation(blocks, relation.edges, graph.num_users, column_offset, relation.weight);
    next_hub += relation.num_hubs;
  }
  graph.num_hubs = next_hub - graph.num_users - graph.num_items;
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
    return a.column_offset < b.column_offset;
  });

  const std::int64_t num_nodes = graph.num_nodes();
  checked_cast<NodeId>(num_nodes);
  Csr& adjacency = graph.adjacency;
  adjacency.num_rows = adjacency.num_cols = num_nodes;
  adjacency.offsets.assign(at(num_nodes) + 1, 0);
  std::size_t total = 0;
  for (const Block& block : blocks) total += block.edges.columns.size();
  adjacency.columns.reserve(total);
  adjacency.values.reserve(total);
  std::vector<std::pair<NodeId, float>> row_entries;
  for (std::int64_t node = 0; node < num_nodes; ++node) {
    row_entries.clear();
    for (const Block& block : blocks) {
      const std::int64_t row = node - block.row_offset;
      if (row < 0 || row >= block.edges.num_rows) continue;
      const CsrView edges = block.edges.view();
      for (EdgeOffset e = edges.offsets[at(row)]; e < edges.offsets[at(row) + 1]; ++e) {
        const NodeId column = edges.columns[at(e)];
        // The product of the two scales first: equal bits for (i, j) and (j, i).
        const float scale = block.row_scale[at(row)] * block.column_scale[at(column)];
        row_entries.emplace_back(static_cast<NodeId>(column + block.column_offset),
                                 block.weight * (value_at(edges, e) * scale));
      }
    }
    // Several item-item relations may interleave; all other blocks already follow each other.
    const auto by_column = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (!std::is_sorted(row_entries.begin(), row_entries.end(), by_column)) {
      std::stable_sort(row_entries.begin(), row_entries.end(), by_column);
    }
    for (const auto& [column, value] : row_entries) {
      adjacency.columns.push_back(column);
      adjacency.values.push_back(value);
    }
    adjacency.offsets[at(node) + 1] = static_cast<EdgeOffset>(adjacency.columns.size());
  }
  merge_duplicates(adjacency, Duplicates::sum);
  return graph;
}

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
        entries.push_back(
            {static_cast<NodeId>(row), adjacency.columns[at(e)], value_at(adjacency, e)});
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
  const std::vector<float> scale = inverse_root_degrees(adjacency.view());
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
      sum += value_at(adjacency, e);
    for (EdgeOffset e = adjacency.offsets[at(row)]; e < adjacency.offsets[at(row) + 1]; ++e) {
      result.values[at(e)] = sum > 0.0 ? static_cast<float>(value_at(adjacency, e) / sum) : 0.0F;
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
      row_entries.emplace_back(inverse[at(matrix.columns[at(e)])], value_at(matrix, e));
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
