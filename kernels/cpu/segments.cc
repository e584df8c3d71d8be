// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over the steps of sequences that lie one after another. See the kernels' comments
// below.
#include "kernels/cpu/segments.h"

#include <algorithm>

#include "kernels/cpu/cpu_backend.h"

namespace penchant::kernels {

namespace {

using graph::NodeId;

/// y = x + decay * before, or x where there is nothing before.
void add_decayed(const float* x, float decay, const float* before, float* y, std::int64_t width) {
  if (before == nullptr) {
    std::copy_n(x, width, y);
    return;
  }
#pragma omp simd
  for (std::int64_t j = 0; j < width; ++j) y[j] = x[j] + decay * before[j];
}

}  // namespace

// running_sum: each step plus the decayed sum of the steps before it (or behind it).
// Computes    y_t = x_t + decay y_(t-1), first of a sequence y = x; TimeOrder::backward: y_(t+1)
// Shapes      x, y [S x D] float32 row-major; y may be x
// Mapping     sequences are divided among threads, columns are vectorised by the compiler
// Memory      8 D bytes a step; the row before is in L1: bandwidth-bound
// Regime      any
// Numerics    float32, one order: deterministic; the error grows with the length of a sequence if
//             |decay| >= 1
// Edge cases  empty sequences; S = 0 returns at once
// Source      own: Horner's scheme
// Measured    not yet measured by itself
void CpuBackend::running_sum(TimeOrder order, const Segments& segments, float decay,
                             ConstFloatView x, FloatView y) {
  require_host("running_sum", "x", x);
  require_shape("running_sum", "y", y, x.rows, x.cols);
  const std::int64_t batch = require_segments("running_sum", segments, x.rows);
#pragma omp parallel for schedule(dynamic, 16)
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t first = segments.offsets[static_cast<std::size_t>(b)];
    const std::int64_t end = segments.offsets[static_cast<std::size_t>(b) + 1];
    if (order == TimeOrder::forward) {
      for (std::int64_t t = first; t < end; ++t)
        add_decayed(x.row(t), decay, t == first ? nullptr : y.row(t - 1), y.row(t), x.cols);
    } else {
      for (std::int64_t t = end - 1; t >= first; --t)
        add_decayed(x.row(t), decay, t == end - 1 ? nullptr : y.row(t + 1), y.row(t), x.cols);
    }
  }
}

}  // namespace penchant::kernels
