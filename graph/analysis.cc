// SPDX-License-Identifier: Apache-2.0
#include "graph/analysis.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <boost/graph/core_numbers.hpp>
#include <boost/graph/incremental_components.hpp>
#include <boost/pending/disjoint_sets.hpp>
#include <boost/property_map/property_map.hpp>

#include "graph/boost_graph.h"

namespace penchant::graph {

DegreeSummary summarize_degrees(const CsrView& matrix) {
  DegreeSummary summary;
  if (matrix.num_rows == 0) return summary;
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(matrix.num_rows));
  for (std::size_t row = 0; row < degrees.size(); ++row)
    degrees[row] = matrix.row_size(static_cast<std::int64_t>(row));
  std::sort(degrees.begin(), degrees.end());
  const auto quantile = [&](double share) {
    return degrees[static_cast<std::size_t>(share * static_cast<double>(degrees.size() - 1))];
  };
  summary.minimum = degrees.front();
  summary.median = quantile(0.5);
  summary.p90 = quantile(0.9);
  summary.p99 = quantile(0.99);
  summary.maximum = degrees.back();
  summary.isolated = std::upper_bound(degrees.begin(), degrees.end(), 0) - degrees.begin();
  const auto n = static_cast<double>(degrees.size());
  const auto total = static_cast<double>(matrix.num_entries());
  summary.mean = total / n;
  summary.gini = gini(std::move(degrees));
  return summary;
}

double gini(std::vector<std::int64_t> counts) {
  std::sort(counts.begin(), counts.end());
  const auto total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  if (total == 0) return 0.0;
  const auto n = static_cast<double>(counts.size());
  double ranked = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    ranked += static_cast<double>(i + 1) * static_cast<double>(counts[i]);
  return 2.0 * ranked / (n * total) - (n + 1.0) / n;
}

Components connected_components(const CsrView& symmetric) {
  Components result;
  const auto num_nodes = static_cast<std::size_t>(symmetric.num_rows);
  result.component.assign(num_nodes, kNoNode);
  if (num_nodes == 0) return result;
  BoostGraph graph = to_boost(symmetric);
  std::vector<std::int32_t> rank(num_nodes);
  std::vector<NodeId> parent(num_nodes);
  boost::disjoint_sets<std::int32_t*, NodeId*> sets(rank.data(), parent.data());
  boost::initialize_incremental_components(graph, sets);
  boost::incremental_components(graph, sets);

  std::vector<NodeId> number(num_nodes, kNoNode);
  std::vector<std::int64_t> sizes;
  for (std::size_t node = 0; node < num_nodes; ++node) {
    const auto root = static_cast<std::size_t>(sets.find_set(static_cast<NodeId>(node)));
    if (number[root] == kNoNode) {
      number[root] = static_cast<NodeId>(sizes.size());
      sizes.push_back(0);
    }
    result.component[node] = number[root];
    ++sizes[static_cast<std::size_t>(number[root])];
  }
  result.count = static_cast<std::int64_t>(sizes.size());
  result.largest = *std::max_element(sizes.begin(), sizes.end());
  return result;
}

std::vector<NodeId> core_numbers(const CsrView& symmetric) {
  std::vector<NodeId> cores(static_cast<std::size_t>(symmetric.num_rows));
  if (cores.empty()) return cores;
  BoostGraph graph = to_boost(symmetric);
  boost::core_numbers(
      graph, boost::make_iterator_property_map(cores.begin(), get(boost::vertex_index, graph)));
  return cores;
}

Csr bipartite_adjacency(const CsrView& rectangular) {
  const Csr other = transpose(rectangular);
  const auto first_column = checked_cast<NodeId>(rectangular.num_rows);
  Csr result;
  result.num_rows = result.num_cols = rectangular.num_rows + rectangular.num_cols;
  checked_cast<NodeId>(result.num_rows);
  result.offsets.assign(rectangular.offsets.begin(), rectangular.offsets.end());
  for (std::size_t row = 1; row < other.offsets.size(); ++row) {
    result.offsets.push_back(rectangular.num_entries() + other.offsets[row]);
  }
  result.columns.reserve(rectangular.columns.size() * 2);
  for (const NodeId column : rectangular.columns) result.columns.push_back(column + first_column);
  result.columns.insert(result.columns.end(), other.columns.begin(), other.columns.end());
  result.values.assign(rectangular.values.begin(), rectangular.values.end());
  result.values.insert(result.values.end(), other.values.begin(), other.values.end());
  return result;
}

}  // namespace penchant::graph
