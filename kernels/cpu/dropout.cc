// SPDX-License-Identifier: Apache-2.0
// Dropout: every element decides by its own position in a counter-based stream. See the kernel's
// comment below.
#include <algorithm>
#include <cmath>

#include "graph/random.h"
#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace penchant::kernels {

// dropout: y_ij = x_ij / (1 - rate), or 0 where the stream says so.
// Computes    word (i D + j) % 4 of position (i D + j) / 4 below rate 2^32: 0, else x / (1 - rate)
// Shapes      x, y [N x D] float32 row-major, y may be x
// Mapping     rows are divided among threads
// Memory      8 bytes an element and a quarter of a Philox block (10 rounds): bound by Philox
// Regime      any
// Numerics    one rounding; the same elements on every backend and thread count
// Edge cases  rate = 0 copies; a row that starts within a block of four draws the block again
// Source      Srivastava et al. 2014, section 10 (inverted); Philox: graph/random.h
// Measured    not yet measured by itself
void CpuBackend::dropout(const DropoutOptions& options, ConstFloatView x, FloatView y) {
  require_host("dropout", "x", x);
  require_shape("dropout", "y", y, x.rows, x.cols);
  if (!(options.rate >= 0.0F && options.rate < 1.0F))
    throw InputError(fmt::format("dropout: rate is {}, expected [0, 1)", options.rate));
  const graph::Random random(options.seed, graph::Stream::dropout, options.substream);
  // rate < 1 - 2^-24, so that the limit fits; a word is below rate 2^32 if it is below its ceiling.
  const auto limit =
      static_cast<std::uint32_t>(std::ceil(static_cast<double>(options.rate) * 0x1p32));
  const float scale = 1.0F / (1.0F - options.rate);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const float* from = x.row(i);
    float* to = y.row(i);
    const std::int64_t start = i * x.cols;
    for (std::int64_t j = 0; j < x.cols;) {
      const std::int64_t place = start + j;
      const auto words = random.words(static_cast<std::uint64_t>(place / 4));
      const std::int64_t end = std::min(x.cols, j + 4 - place % 4);
      for (auto word = static_cast<std::size_t>(place % 4); j < end; ++j, ++word)
        to[j] = words[word] < limit ? 0.0F : scale * from[j];
    }
  }
}

}  // namespace penchant::kernels
