// SPDX-License-Identifier: Apache-2.0
// Normalisation and node order of a symmetric matrix.
#pragma once

#include <span>
#include <vector>

#include "graph/csr.h"

namespace penchant::graph {

enum class SelfLoops : bool { no, yes };
/// D^-1/2 (A + I) D^-1/2 or D^-1/2 A D^-1/2 of a symmetric matrix.
Csr normalize_symmetric(const CsrView& adjacency, SelfLoops self_loops);
/// The second form in place; a matrix without values gets them.
void normalize_symmetric_in_place(Csr& adjacency);
/// D^-1 A: rows sum to 1 (or are empty).
Csr normalize_rows(const CsrView& adjacency);

/// Row and column i of the result is old node order[i]: P A P'. `order` must be a permutation
/// (InputError).
Csr reorder_symmetric(const CsrView& matrix, std::span<const NodeId> order);
std::vector<NodeId> invert_permutation(std::span<const NodeId> order);
/// Nodes by descending degree, ties by id.
std::vector<NodeId> degree_order(const CsrView& matrix);

}  // namespace penchant::graph
