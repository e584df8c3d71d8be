// SPDX-License-Identifier: Apache-2.0
// The machine's own rates: what a benchmark is judged by.
#pragma once

#include "kernels/backend.h"

namespace penchant::pipeline {

struct MachineRates {
  double triad_bytes = 0;  ///< a second
  double gemm_flops = 0;   ///< a second
};

/// McCalpin's STREAM triad a = b + s c over three arrays of `elements` floats, 12 bytes an element,
/// the best of several passes (on a GPU: y = a x + b y, of the same traffic); and a float32 GEMM of
/// `gemm_size` cubed, the best of several.
MachineRates measure_machine(kernels::Backend& backend,
                             std::int64_t elements = std::int64_t{1} << 25,
                             std::int64_t gemm_size = 2048);

/// Seconds that the rates allow at least for this work (Williams et al. 2009, the roofline).
double attainable_seconds(const MachineRates& rates, double bytes, double flops);

}  // namespace penchant::pipeline
