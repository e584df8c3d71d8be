// SPDX-License-Identifier: Apache-2.0
// Statistics of a graph by Boost.Graph's algorithms: connected components, core numbers, degree
// distribution.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/csr.h"

namespace penchant::graph {

struct DegreeSummary {
  std::int64_t minimum = 0, median = 0, p90 = 0, p99 = 0, maximum = 0, isolated = 0;
  double mean = 0.0, gini = 0.0;
};
DegreeSummary summarize_degrees(const CsrView& matrix);
/// Gini coefficient of non-negative counts: 0 all equal, towards 1 all on one.
double gini(std::vector<std::int64_t> counts);

struct Components {
  std::vector<NodeId> component;  ///< of each node, numbered by first node
  std::int64_t count = 0;
  std::int64_t largest = 0;  ///< nodes in the largest one
};
/// Connected components of a symmetric matrix.
Components connected_components(const CsrView& symmetric);
/// Core number of each node (Batagelj and Zaversnik 2003), of a symmetric matrix without self
/// loops.
std::vector<NodeId> core_numbers(const CsrView& symmetric);
/// [[0, B], [B', 0]] of a rectangular B: the square symmetric form that the two functions above
/// need.
Csr bipartite_adjacency(const CsrView& rectangular);

}  // namespace penchant::graph
