// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over the steps of sequences that lie one after another. See the kernels' comments
// below.
#include <algorithm>

#include <fmt/core.h>

#include "kernels/cpu/check.h"
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
  const ThreadScope threads(num_threads_);
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

// segment_max: largest value of each column of a sequence, and where it stands.
// Computes    y_bj = max_t x_tj over the rows t of sequence b, rows_bj = the first t that has it
// Shapes      x [S x H] float32, y [B x H] float32, rows [B x H] int32, row-major
// Mapping     sequences are divided among threads, columns are vectorised by the compiler
// Memory      4 H bytes a step; the running maximum is in L1: bandwidth-bound
// Regime      any
// Numerics    exact; NaN is never larger, and stays if it comes first
// Edge cases  an empty sequence: 0 and kNoNode
// Source      max-over-time pooling (Collobert et al. 2011)
// Measured    not yet measured by itself
void CpuBackend::segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                             MatrixView<NodeId> rows) {
  const ThreadScope threads(num_threads_);
  const char* op = "segment_max";
  require_host(op, "x", x);
  const std::int64_t batch = require_segments(op, segments, x.rows);
  require_shape(op, "y", y, batch, x.cols);
  require_shape(op, "rows", rows, batch, x.cols);
  static_cast<void>(graph::checked_cast<NodeId>(x.rows));
#pragma omp parallel for schedule(dynamic, 16)
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t first = segments.offsets[static_cast<std::size_t>(b)];
    const std::int64_t end = segments.offsets[static_cast<std::size_t>(b) + 1];
    float* largest = y.row(b);
    NodeId* places = rows.row(b);
    if (first == end) {
      std::fill_n(largest, x.cols, 0.0F);
      std::fill_n(places, x.cols, graph::kNoNode);
      continue;
    }
    std::copy_n(x.row(first), x.cols, largest);
    std::fill_n(places, x.cols, static_cast<NodeId>(first));
    for (std::int64_t t = first + 1; t < end; ++t) {
      const float* values = x.row(t);
      const auto place = static_cast<NodeId>(t);
#pragma omp simd
      for (std::int64_t j = 0; j < x.cols; ++j) {
        const bool larger = values[j] > largest[j];
        places[j] = larger ? place : places[j];
        largest[j] = larger ? values[j] : largest[j];
      }
    }
  }
}

// segment_max_backward: the gradient goes to the rows that had the maximum.
// Computes    d_x_(rows_bj) j = d_y_bj, 0 elsewhere
// Shapes      rows [B x H] int32, d_y [B x H], d_x [S x H] float32
// Mapping     sequences are divided among threads: their rows differ
// Memory      4 H bytes a step for the zeros
// Regime      any
// Numerics    exact
// Edge cases  kNoNode sends nothing; a row outside [0, S): InputError
// Source      the derivative of the above
// Measured    not yet measured by itself
void CpuBackend::segment_max_backward(MatrixView<const NodeId> rows, ConstFloatView d_y,
                                      FloatView d_x) {
  const ThreadScope threads(num_threads_);
  const char* op = "segment_max_backward";
  require_host(op, "rows", rows);
  require_shape(op, "d_y", d_y, rows.rows, rows.cols);
  require_shape(op, "d_x", d_x, d_x.rows, rows.cols);
  for (std::int64_t b = 0; b < rows.rows; ++b) {
    for (std::int64_t j = 0; j < rows.cols; ++j) {
      if (rows(b, j) < graph::kNoNode || rows(b, j) >= d_x.rows)
        throw InputError(fmt::format("{}: row {} of sequence {}, expected less than {}", op,
                                     rows(b, j), b, d_x.rows));
    }
  }
  fill(d_x, 0.0F);
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < rows.rows; ++b) {
    for (std::int64_t j = 0; j < rows.cols; ++j) {
      if (rows(b, j) != graph::kNoNode) d_x(rows(b, j), j) = d_y(b, j);
    }
  }
}

}  // namespace penchant::kernels
