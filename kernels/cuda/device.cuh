// SPDX-License-Identifier: Apache-2.0
// What the kernels share: rows of a matrix as device code sees them, 16-byte packs, bf16 bits, sums
// of a warp, and the arithmetic of launch shapes. Each kernels/cuda/<op>.cuh holds an op's kernels
// and, below them, the host functions that launch them. Shapes and devices have been checked by the
// caller (the backend); launchers return at once for zero sizes, allocate nothing and never wait.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "graph/error.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/matrix.h"

namespace penchant::kernels::cuda {

/// Constants, because device code may not call std::numeric_limits.
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// MatrixView for device code.
template <typename T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;

  Rows() = default;
  explicit Rows(const MatrixView<T>& view) : data(view.data), stride(view.stride) {}

  __device__ T* row(std::int64_t i) const { return data + i * stride; }
  __device__ T& at(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
};

// --- packs: N consecutive floats of a row, moved in one access; a pack of 4 must be aligned to 16
// --- bytes

template <int N>
struct Pack {
  float v[N];
};

template <int N>
__device__ __forceinline__ Pack<N> load_pack(const float* from) {
  static_assert(N == 1 || N == 4, "packs are single floats or 16 bytes");
  Pack<N> pack;
  if constexpr (N == 4) {
    const float4 value = *reinterpret_cast<const float4*>(from);
    pack.v[0] = value.x;
    pack.v[1] = value.y;
    pack.v[2] = value.z;
    pack.v[3] = value.w;
  } else {
    pack.v[0] = *from;
  }
  return pack;
}

template <int N>
__device__ __forceinline__ void store_pack(float* to, const Pack<N>& pack) {
  static_assert(N == 1 || N == 4, "packs are single floats or 16 bytes");
  if constexpr (N == 4)
    *reinterpret_cast<float4*>(to) = make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3]);
  else
    *to = pack.v[0];
}

/// True if every row of the view can be read in packs of `count` elements.
template <typename T>
bool packs_fit(const MatrixView<T>& view, std::int64_t count) {
  return reinterpret_cast<std::uintptr_t>(view.data) %
                 (static_cast<std::size_t>(count) * sizeof(T)) ==
             0 &&
         view.stride % count == 0 && view.cols % count == 0;
}

// --- bf16 by its bits: the upper half of a float32

__device__ __forceinline__ float float_of(std::uint32_t bf16_bits) {
  return __uint_as_float(bf16_bits << 16);
}

/// Round to nearest even; NaN stays NaN.
__device__ __forceinline__ std::uint16_t bf16_of(float value) {
  const std::uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U)
    return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

// --- warps: every lane gets the sum, whose order is fixed

__device__ __forceinline__ float warp_sum(float value) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(kFullWarp, value, distance);
  return value;
}

__device__ __forceinline__ int warp_sum(int value) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(kFullWarp, value, distance);
  return value;
}

// --- launch shapes

inline constexpr std::int64_t kLargestGridX = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t kLargestGridY = 65535;

constexpr std::int64_t ceil_div(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

/// Blocks along x or y, at least one. Throws InputError for more than a grid holds: kernels without
/// loops over blocks would leave the rest out.
inline unsigned grid_blocks(std::int64_t blocks, std::int64_t most, const char* axis) {
  if (blocks > most)
    throw InputError("an operand needs " + std::to_string(blocks) + " blocks of threads along " +
                     axis + ", where a GPU takes " + std::to_string(most));
  return static_cast<unsigned>(std::max<std::int64_t>(blocks, 1));
}
inline unsigned grid_x(std::int64_t blocks) { return grid_blocks(blocks, kLargestGridX, "rows"); }
inline unsigned grid_y(std::int64_t blocks) {
  return grid_blocks(blocks, kLargestGridY, "columns");
}

}  // namespace penchant::kernels::cuda
