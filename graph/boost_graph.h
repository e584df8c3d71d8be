// SPDX-License-Identifier: Apache-2.0
// Internal to graph/: Boost.Graph's compressed sparse row graph with our id types, and the way from
// and to our Csr.
#pragma once

#include <utility>
#include <vector>

#include <boost/graph/compressed_sparse_row_graph.hpp>

#include "graph/csr.h"

namespace penchant::graph {

struct WeightedEdge {
  float weight = 1.0F;
};

using BoostGraph =
    boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, WeightedEdge,
                                       boost::no_property, NodeId, EdgeOffset>;

/// Pattern of a square matrix as a graph: edge i -> j for every stored entry.
BoostGraph to_boost(const CsrView& square);

/// The graph's arrays, moved out of Boost's internals (weights are copied), as a Csr of `num_rows` leading vertices, columns shifted down by
/// `column_offset`.
Csr take_csr(BoostGraph&& graph, std::int64_t num_rows, std::int64_t num_cols,
             NodeId column_offset);

}  // namespace penchant::graph
