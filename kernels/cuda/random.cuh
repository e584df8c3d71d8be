// SPDX-License-Identifier: Apache-2.0
// Random numbers by position, as graph::Random gives them on the host, and dropout, which is
// decided by them.
#pragma once

#include <cmath>

#include "graph/random.h"
#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"

namespace penchant::kernels::cuda {

namespace {

/// Philox-4x32-10 (Salmon et al. 2011), the words of graph::Random at a position.
struct Philox {
  std::uint32_t key[2];
  std::uint32_t stream[2];

  Philox(graph::Seed seed, graph::Stream name, std::uint64_t substream) {
    const auto bits = static_cast<std::uint64_t>(seed);
    key[0] = static_cast<std::uint32_t>(bits);
    key[1] = static_cast<std::uint32_t>(bits >> 32);
    const std::uint64_t place = (static_cast<std::uint64_t>(name) << 56) ^ substream;
    stream[0] = static_cast<std::uint32_t>(place);
    stream[1] = static_cast<std::uint32_t>(place >> 32);
  }
  __device__ uint4 words(std::uint64_t position) const {
    std::uint32_t c0 = static_cast<std::uint32_t>(position);
    std::uint32_t c1 = static_cast<std::uint32_t>(position >> 32);
    std::uint32_t c2 = stream[0];
    std::uint32_t c3 = stream[1];
    std::uint32_t k0 = key[0];
    std::uint32_t k1 = key[1];
#pragma unroll
    for (int round = 0; round < 10; ++round) {
      const std::uint32_t high0 = __umulhi(0xD2511F53U, c0);
      const std::uint32_t low0 = 0xD2511F53U * c0;
      const std::uint32_t high1 = __umulhi(0xCD9E8D57U, c2);
      const std::uint32_t low1 = 0xCD9E8D57U * c2;
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    return make_uint4(c0, c1, c2, c3);
  }
};

/// y = scale x where the element's word is at least `threshold`, else 0; see DropoutOptions.
struct Dropout {
  Philox philox;
  std::uint32_t threshold;
  float scale;
  std::int64_t width;
  Rows<const float> x;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    const auto element = static_cast<std::uint64_t>(i * width + j);
    const uint4 four = philox.words(element / 4);
    const std::uint32_t words[4] = {four.x, four.y, four.z, four.w};
    Pack<N> pack = load_pack<N>(&x.at(i, j));
    for (int k = 0; k < N; ++k) {
      std::uint32_t word = words[k];
      if constexpr (N == 1) {  // a run-time index would put the words in local memory
        const auto place = static_cast<unsigned>(element % 4);
        word = place < 2 ? (place == 0 ? four.x : four.y) : (place == 2 ? four.z : four.w);
      }
      pack.v[k] = word < threshold ? 0.0F : scale * pack.v[k];
    }
    store_pack<N>(&y.at(i, j), pack);
  }
};

}  // namespace

/// options.rate in [0, 1).
inline void dropout(const DropoutOptions& options, ConstFloatView x, FloatView y, Stream stream) {
  // An integer word is below rate * 2^32 exactly if it is below the next integer.
  const auto threshold =
      static_cast<std::uint32_t>(std::ceil(static_cast<double>(options.rate) * 0x1p32));
  const Dropout op{Philox(options.seed, graph::Stream::dropout, options.substream),
                   threshold,
                   1.0F / (1.0F - options.rate),
                   x.cols,
                   Rows(x),
                   Rows(y)};
  map_elements(op, x.rows, x.cols, packs_fit(x, 4) && packs_fit(y, 4), stream);
}

}  // namespace penchant::kernels::cuda
