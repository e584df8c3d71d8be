// SPDX-License-Identifier: Apache-2.0
// Work division of a sparse matrix for kernels/cuda/spmm.cuh: made once on the host, copied to the
// device, used by every product. Plain C++.
//   long rows    are cut in segments of kSegmentEntries; a second pass adds the segments in order
//   medium rows  are one warp's
//   short rows   share a warp. They stay near their place, because neighbours in the node order
//                gather the same table rows, and are sorted by length within windows, so that the
//                rows of a warp end together (SELL-C-sigma: Kreutzer et al., "A unified sparse
//                matrix data format ...", SIAM J. Sci. Comput. 36, 2014)
#pragma once

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
  static constexpr std::int64_t kSegmentEntries = 512;
  static constexpr std::int64_t kWindowRows = 4096;

  std::vector<SpmmTask> tasks;  ///< segments first, then medium rows, then short rows
  std::vector<SpmmLongRow> long_rows;
  std::int64_t num_segments = 0;
  std::int64_t num_medium = 0;
};

/// O(N + E / kSegmentEntries). Throws std::out_of_range for a row of 2^31 entries or more.
SpmmPlan make_spmm_plan(const graph::CsrView& matrix);

}  // namespace penchant::kernels::cuda
