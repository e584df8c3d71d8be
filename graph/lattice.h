// SPDX-License-Identifier: Apache-2.0
// A graph with locality for throughput: what reordering can at best make of a graph, and so what a
// sparse product reaches when its gathers hit the caches.
#pragma once

#include <cstdint>

#include "graph/csr.h"

namespace penchant::graph {

/// 2^scale nodes on a plane lattice, 2^(scale / 2) lines of 2^(scale - scale / 2) nodes, numbered
/// line by line. Each node is linked with its 2 * edge_factor nearest (Euclidean distance; nearest
/// pairs of opposite ones, ties by line, then by place); links beyond the border are left out.
struct LatticeOptions {
  int scale = 16;                ///< 0 to 30
  std::int64_t edge_factor = 4;  ///< 0 to 2^10
};
/// Symmetric pattern without self loops. Throws InputError for options out of range.
Csr generate_lattice(const LatticeOptions& options);

}  // namespace penchant::graph
