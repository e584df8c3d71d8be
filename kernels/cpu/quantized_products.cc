// SPDX-License-Identifier: Apache-2.0
// Products of 8-bit integers: AVX-512 VNNI, which Highway 1.0.3 has no operation for, and plain loops
// for every other machine. Both give the same sums, which are exact.
#include "kernels/cpu/quantized_products.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace penchant::kernels {

namespace {

void multiply_by_loops(const BlockProduct& product, const float* base, std::int64_t rows,
                       float* z) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint8_t* a = product.activations + r * product.stride;
    std::int32_t sums[kBlockColumns] = {};
    for (std::int64_t k = 0; k < product.inner; k += kInnerGroup) {
      const std::int8_t* w = product.weights + k * kBlockColumns;
      for (std::int64_t j = 0; j < kBlockColumns; ++j) {
        for (std::int64_t i = 0; i < kInnerGroup; ++i)
          sums[j] += std::int32_t{a[k + i]} * w[j * kInnerGroup + i];
      }
    }
    float* to = z + r * kBlockColumns;
    const float* from = base == nullptr ? to : base;
    for (std::int64_t j = 0; j < kBlockColumns; ++j)
      to[j] = from[j] + product.scales[j] * static_cast<float>(sums[j] - product.zeros[j]);
  }
}

#if defined(__x86_64__)

#define PENCHANT_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

// vnni_rows: 64 columns of R rows.
// Computes    z_rj = base_j + scale_j (sum_k a_rk q_kj - zero_j)
// Shapes      BlockProduct; a u8 [R x K], q s8 [K / 4 x 64 x 4], z float32 [R x 64]
// Mapping     4 R accumulators of 16 lanes; a group of 4 rows of q is loaded once for R rows of a,
//             whose 4 bytes are broadcast
// Memory      R K 64 multiplications and additions for 64 K bytes of q, which stay in L1 (12 KB at K =
//             192) from one R rows to the next
// Regime      R = 6: 24 accumulators, 4 of q and 1 of a are 29 of 32 registers
// Numerics    sums exact in 32 bits up to K = 66,000; one rounding to float32, one product, one sum
// Edge cases  K = 0: no sums; rows that are no multiple of 6: the same code with a smaller R
// Source      own; vpdpbusd as in Intel's Software Developer's Manual, volume 2
// Measured    bench/recurrent_bench.cc, docs/decisions/0047-small-models.md
template <int R>
PENCHANT_VNNI void vnni_rows(const BlockProduct& product, const float* base,
                             const std::uint8_t* activations, float* z) {
  __m512i sums[R][4];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) sums[r][g] = _mm512_setzero_si512();
  }
  const std::int8_t* w = product.weights;
  for (std::int64_t k = 0; k < product.inner; k += kInnerGroup, w += kBlockColumns * kInnerGroup) {
    const __m512i w0 = _mm512_load_si512(w);
    const __m512i w1 = _mm512_load_si512(w + 64);
    const __m512i w2 = _mm512_load_si512(w + 128);
    const __m512i w3 = _mm512_load_si512(w + 192);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      std::int32_t four;
      std::memcpy(&four, activations + r * product.stride + k, sizeof(four));
      const __m512i a = _mm512_set1_epi32(four);
      sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], a, w0);
      sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], a, w1);
      sums[r][2] = _mm512_dpbusd_epi32(sums[r][2], a, w2);
      sums[r][3] = _mm512_dpbusd_epi32(sums[r][3], a, w3);
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    const __m512 scale = _mm512_loadu_ps(product.scales + g * kGateColumns);
    const __m512i zero = _mm512_loadu_si512(product.zeros + g * kGateColumns);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      float* to = z + r * kBlockColumns + g * kGateColumns;
      const __m512 from = _mm512_loadu_ps(base == nullptr ? to : base + g * kGateColumns);
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[r][g], zero));
      _mm512_storeu_ps(to, _mm512_fmadd_ps(scale, sum, from));
    }
  }
}

PENCHANT_VNNI void vnni_products(const BlockProduct& product, const float* base, std::int64_t rows,
                                 float* z) {
  const std::uint8_t* a = product.activations;
  std::int64_t r = 0;
  for (; r + 6 <= rows; r += 6)
    vnni_rows<6>(product, base, a + r * product.stride, z + r * kBlockColumns);
  const std::uint8_t* rest = a + r * product.stride;
  float* to = z + r * kBlockColumns;
  switch (rows - r) {
    case 5:
      return vnni_rows<5>(product, base, rest, to);
    case 4:
      return vnni_rows<4>(product, base, rest, to);
    case 3:
      return vnni_rows<3>(product, base, rest, to);
    case 2:
      return vnni_rows<2>(product, base, rest, to);
    case 1:
      return vnni_rows<1>(product, base, rest, to);
    default:
      return;
  }
}

#undef PENCHANT_VNNI

#endif  // __x86_64__

}  // namespace

bool has_vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

QuantizedProducts quantized_products() {
#if defined(__x86_64__)
  if (has_vnni()) return &vnni_products;
#endif
  return portable_products();
}

QuantizedProducts portable_products() { return &multiply_by_loops; }

}  // namespace penchant::kernels
