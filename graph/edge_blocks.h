// SPDX-License-Identifier: Apache-2.0
// CSR of edges that can be asked for twice, without a list of them: the first pass counts degrees,
// the second fills the columns. Holds 4 bytes an entry, and 16 bytes a row while it works.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "graph/csr.h"

namespace penchant::graph {

/// row = kNoNode: no edge.
struct Edge {
  NodeId row, column;
};

/// Fills `block` with the edges number first, first + 1, ... Called by several threads, twice for
/// each edge, and must give the same both times.
using EdgeBlocks = std::function<void(std::int64_t first, std::span<Edge> block)>;

enum class Direction : bool { as_drawn, both };

/// Pattern of the edges, each place once (values empty); `both` stores (j, i) beside (i, j) and
/// leaves out i = j. Ids must be in range (PENCHANT_ASSERT). The result does not depend on the
/// number of threads.
Csr csr_from_edge_blocks(std::int64_t num_rows, std::int64_t num_cols, std::int64_t num_edges,
                         const EdgeBlocks& edges, Direction direction);

}  // namespace penchant::graph
