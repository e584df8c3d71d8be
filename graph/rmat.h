// SPDX-License-Identifier: Apache-2.0
// Seeded random graphs for throughput: R-MAT, and a bipartite graph of power-law degrees. Edge k
// depends on (options, k) only, so that a graph is made by several threads and without a list of
// its edges (graph/edge_blocks.h).
#pragma once

#include <cstdint>

#include "graph/csr.h"

namespace penchant::graph {

/// R-MAT (Chakrabarti et al. 2004) with Graph500's parameters; duplicates and self loops removed;
/// symmetric if asked. Probabilities are rounded to multiples of 2^-16.
struct RmatOptions {
  int scale = 16;                 ///< 2^scale nodes
  std::int64_t edge_factor = 16;  ///< edges drawn per node
  double a = 0.57, b = 0.19, c = 0.19;
  bool symmetric = true;
  bool scramble = false;  ///< renumber the nodes, so that ids say nothing of degrees (Graph500)
  Seed seed{42};
};
Csr generate_rmat(const RmatOptions& options);

/// U = I = 2^(scale - 1) users and items; both ends of an edge follow P(rank) ~ rank^-exponent, and
/// ranks are spread over the ids.
struct BipartiteOptions {
  int scale = 16;                 ///< 2^scale nodes, half of them users
  std::int64_t edge_factor = 16;  ///< edges drawn per node
  double user_exponent = 0.5;     ///< in [0, 1)
  double item_exponent = 0.8;
  Seed seed{42};
};
/// Symmetric adjacency: users first, then items.
Csr generate_bipartite(const BipartiteOptions& options);

}  // namespace penchant::graph
