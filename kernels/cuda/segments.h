// SPDX-License-Identifier: Apache-2.0
// Segments as kernels see them.
#pragma once

#include <cstdint>

namespace penchant::kernels::cuda {

/// Segments in device memory.
struct DeviceSegments {
  const std::int64_t* offsets = nullptr;  ///< [B + 1]
  std::int64_t num_segments = 0;          ///< B
};

}  // namespace penchant::kernels::cuda
