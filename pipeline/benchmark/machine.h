// SPDX-License-Identifier: Apache-2.0
// The machine's own rates: what a benchmark is judged by.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace penchant::pipeline {

/// What the rates are measured with.
struct MachineSizes {
  std::int64_t triad_elements = std::int64_t{1} << 25;  ///< of each of three arrays of float32
  std::int64_t gemm_size = 2048;                        ///< rows and columns
};

/// Sizes whose arrays take at most `bytes`: the triad's shrink, down to 4 MiB each; the product
/// stays.
MachineSizes sizes_within(std::int64_t bytes);

/// Bytes of the arrays of both measurements, which follow one another.
std::int64_t triad_bytes(const MachineSizes& sizes);
std::int64_t gemm_bytes(const MachineSizes& sizes);

struct MachineRates {
  double triad_bytes = 0;  ///< a second
  double gemm_flops = 0;   ///< a second
  MachineSizes sizes;
};

/// McCalpin's STREAM triad a = b + s c, 12 bytes an element, the best of several passes (on a GPU:
/// y = a x + b y, of the same traffic); and a float32 GEMM, the best of several.
MachineRates measure_machine(kernels::Backend& backend, const MachineSizes& sizes = {});

/// Seconds that the rates allow at least for this work (Williams et al. 2009, the roofline).
double attainable_seconds(const MachineRates& rates, double bytes, double flops);

}  // namespace penchant::pipeline
