// SPDX-License-Identifier: Apache-2.0
// Work division of a sparse matrix for kernels/cuda/spmm.cuh: made once on the host, copied to the
// device, used by every product. Plain C++.
//   long rows    are cut in segments; a second pass adds the segments in order
//   medium rows  are one warp's
//   short rows   share a warp. They stay near their place, because neighbours in the node order
//                gather the same table rows, and are sorted by length within windows, so that the
//                rows of a warp end together (SELL-C-sigma: Kreutzer et al., "A unified sparse
//                matrix data format ...", SIAM J. Sci. Comput. 36, 2014)
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "graph/csr.h"

namespace penchant::kernels::cuda {

/// A row, or a segment of a long row. 16 bytes: one load.
struct alignas(16) SpmmTask {
  std::int64_t begin;   ///< first entry
  std::int32_t target;  ///< row of y; of a segment: row of the partial sums
  std::int32_t length;  ///< entries
};

/// Segments [first_segment, first_segment + num_segments) of one long row, in order.
struct alignas(16) SpmmLongRow {
  std::int64_t first_segment;
  std::int32_t row;
  std::int32_t num_segments;
};

struct SpmmPlan {
  /// Lengths from which a row is medium and long. Estimates from the balance in docs/kernels.md,
  /// not yet measured.
  static constexpr std::int64_t kMediumRow = 33;
  static constexpr std::int64_t kWindowRows = 256;

  std::vector<SpmmTask> tasks;  ///< segments first, then medium rows, then short rows
  std::vector<SpmmLongRow> long_rows;
  std::int64_t num_segments = 0;
  std::int64_t num_medium = 0;
};

/// Entries of a segment for a matrix of so many in all. A warp takes its entries eight by eight, each
/// time as long as a load lasts, so that a segment of 512 alone takes longer than a small product: a
/// share of two tasks for each of the 32 warps of 132 SMs, in whole chunks of a warp, is enough. An
/// estimate, not yet measured.
constexpr std::int64_t segment_entries(std::int64_t num_entries) {
  constexpr std::int64_t kTasks = 132 * 32 * 2;
  constexpr std::int64_t kChunk = 32;
  return std::clamp<std::int64_t>((num_entries / kTasks + kChunk - 1) / kChunk * kChunk, 64, 512);
}

/// O(N + E / segment). A block of a larger matrix takes that one's segments, so that its sums have
/// their order. Throws std::out_of_range for a row of 2^31 entries or more.
SpmmPlan make_spmm_plan(const graph::CsrView& matrix, std::int64_t segment);
inline SpmmPlan make_spmm_plan(const graph::CsrView& matrix) {
  return make_spmm_plan(matrix, segment_entries(matrix.num_entries()));
}

}  // namespace penchant::kernels::cuda
