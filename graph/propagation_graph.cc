// SPDX-License-Identifier: Apache-2.0
// A relation between two kinds of nodes is two blocks of the adjacency, its edges forwards and
// backwards. Blocks are written in the order of their columns, so that no row needs sorting but
// where several relations meet in one place; edges are read where they lie, never transposed.
#include "graph/propagation_graph.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/degrees.h"
#include "graph/error.h"

namespace penchant::graph {

namespace {

struct Block {
  const RelationView* relation;
  bool backwards;
  std::int64_t row_offset, column_offset;  ///< nodes of the relation's first row and column

  std::int64_t first_column() const { return backwards ? row_offset : column_offset; }
};

void check(const NodeCounts& counts, const RelationView& relation) {
  const auto fits = [&](NodeKind kind, std::int64_t extent) {
    return kind == NodeKind::hub ||
           extent == (kind == NodeKind::user ? counts.users : counts.items);
  };
  const CsrView& edges = relation.edges;
  if (relation.rows == NodeKind::hub || !fits(relation.rows, edges.num_rows) ||
      !fits(relation.columns, edges.num_cols)) {
    throw InputError(fmt::format(
        "graph: a relation of {}s and {}s is [{} x {}], and there are {} users and {} items",
        enum_name(relation.rows), enum_name(relation.columns), edges.num_rows, edges.num_cols,
        counts.users, counts.items));
  }
  if (relation.rows == relation.columns && !is_symmetric(edges)) {
    throw InputError(
        fmt::format("graph: a relation of {}s does not go both ways", enum_name(relation.rows)));
  }
}

/// Rows in which relations interleave.
void sort_rows(Csr& adjacency) {
  std::vector<std::pair<NodeId, float>> entries;
  for (std::int64_t row = 0; row < adjacency.num_rows; ++row) {
    const std::size_t first = at(adjacency.offsets[at(row)]);
    const std::size_t last = at(adjacency.offsets[at(row) + 1]);
    const auto columns = std::span(adjacency.columns).subspan(first, last - first);
    if (std::is_sorted(columns.begin(), columns.end())) continue;
    entries.clear();
    for (std::size_t e = first; e < last; ++e)
      entries.emplace_back(adjacency.columns[e], adjacency.values[e]);
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t e = first; e < last; ++e)
      std::tie(adjacency.columns[e], adjacency.values[e]) = entries[e - first];
  }
}

}  // namespace

PropagationGraph build_propagation_graph(const NodeCounts& counts,
                                         std::span<const RelationView> relations) {
  PropagationGraph graph{counts.users, counts.items, 0, {}};
  std::vector<Block> blocks;
  for (const RelationView& relation : relations) {
    check(counts, relation);
    const auto offset = [&](NodeKind kind) {
      if (kind == NodeKind::user) return std::int64_t{0};
      return kind == NodeKind::item ? counts.users : graph.num_nodes();
    };
    const std::int64_t rows = offset(relation.rows);
    const std::int64_t columns = offset(relation.columns);
    blocks.push_back({&relation, false, rows, columns});
    if (relation.rows != relation.columns) blocks.push_back({&relation, true, rows, columns});
    if (relation.columns == NodeKind::hub) graph.num_hubs += relation.edges.num_cols;
  }
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
    return a.first_column() < b.first_column();
  });

  Csr& adjacency = graph.adjacency;
  adjacency.num_rows = adjacency.num_cols = graph.num_nodes();
  checked_cast<NodeId>(graph.num_nodes());
  adjacency.offsets.assign(at(graph.num_nodes()) + 1, 0);
  const auto for_each_edge = [&](const Block& block, auto visit) {
    const CsrView& edges = block.relation->edges;
    for (std::int64_t row = 0; row < edges.num_rows; ++row) {
      for (EdgeOffset e = edges.offsets[at(row)]; e < edges.offsets[at(row) + 1]; ++e) {
        const NodeId column = edges.columns[at(e)];
        const std::int64_t from = row + block.row_offset;
        const std::int64_t to = column + block.column_offset;
        visit(block.backwards ? to : from, block.backwards ? from : to, row, column, e);
      }
    }
  };
  for (const Block& block : blocks) {
    for_each_edge(block, [&](std::int64_t from, auto...) { ++adjacency.offsets[at(from) + 1]; });
  }
  std::partial_sum(adjacency.offsets.begin(), adjacency.offsets.end(), adjacency.offsets.begin());
  adjacency.columns.resize(at(adjacency.offsets.back()));
  adjacency.values.resize(adjacency.columns.size());
  std::vector<EdgeOffset> next(adjacency.offsets.begin(), adjacency.offsets.end() - 1);
  for (const Block& block : blocks) {
    const RelationView& relation = *block.relation;
    const std::vector<float> row_scale = inverse_roots(row_sums(relation.edges));
    const std::vector<float> column_scale = inverse_roots(column_sums(relation.edges));
    for_each_edge(block, [&](std::int64_t from, std::int64_t to, std::int64_t row, NodeId column,
                             EdgeOffset e) {
      const std::size_t place = at(next[at(from)]++);
      adjacency.columns[place] = static_cast<NodeId>(to);
      // The product of the two scales first: equal bits for (i, j) and (j, i).
      const float scale = row_scale[at(row)] * column_scale[at(column)];
      adjacency.values[place] = relation.weight * (relation.edges.value(e) * scale);
    });
  }
  sort_rows(adjacency);
  merge_duplicates(adjacency, Duplicates::sum);
  return graph;
}

PropagationGraph build_propagation_graph(const NodeCounts& counts,
                                         std::span<const Relation> relations) {
  std::vector<RelationView> views;
  for (const Relation& relation : relations) views.push_back(relation.view());
  return build_propagation_graph(counts, views);
}

PropagationGraph build_propagation_graph(const UserItemGraph& user_item, const ItemGraph& items,
                                         std::span<const Relation> links) {
  std::vector<RelationView> views = {
      {NodeKind::user, NodeKind::item, user_item.user_items.view(), 1.0F}};
  for (const Relation& relation : items.relations) views.push_back(relation.view());
  for (const Relation& relation : links) views.push_back(relation.view());
  return build_propagation_graph({user_item.num_users, user_item.num_items}, views);
}

}  // namespace penchant::graph
