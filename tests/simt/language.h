// SPDX-License-Identifier: Apache-2.0
// CUDA's language for the host compiler, as far as kernels/cuda/ uses it (the list stands in
// kernels/cuda/launch.cuh). Names are CUDA's own, hence the globals and the underscores.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>

#include "tests/simt/machine.h"
#include "tests/simt/shared_memory.h"

// With CUDA's own headers (tests/fake_cuda) types and decorations are theirs.
#if defined(__CUDA_RUNTIME_API_H__)
#include <vector_functions.h>
#undef __launch_bounds__
#define __launch_bounds__(...)
#else
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

using dim3 = penchant::simt::Extent;
using uint3 = penchant::simt::Index;

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
#endif

/// Set by the machine before a thread runs.
inline thread_local penchant::simt::Index threadIdx, blockIdx;
inline thread_local penchant::simt::Extent blockDim, gridDim;

namespace penchant::simt {

using Where = std::source_location;

template <typename T>
T exchange(WarpOp op, unsigned mask, T value, int parameter, int width, const Where& where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = Machine::running().warp_exchange(op, mask, bits, parameter, width, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace penchant::simt

inline void __syncthreads(penchant::simt::Where where = penchant::simt::Where::current()) {
  penchant::simt::Machine::running().block_barrier(where);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU,
                       penchant::simt::Where where = penchant::simt::Where::current()) {
  penchant::simt::Machine::running().warp_exchange(penchant::simt::WarpOp::sync, mask, 0, 0, 32,
                                                   where);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              penchant::simt::Where where = penchant::simt::Where::current()) {
  return penchant::simt::exchange(penchant::simt::WarpOp::shuffle, mask, value, lane, width, where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  penchant::simt::Where where = penchant::simt::Where::current()) {
  return penchant::simt::exchange(penchant::simt::WarpOp::shuffle_xor, mask, value, lanes, width,
                                  where);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32,
                 penchant::simt::Where where = penchant::simt::Where::current()) {
  return penchant::simt::exchange(penchant::simt::WarpOp::shuffle_up, mask, value,
                                  static_cast<int>(distance), width, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32,
                   penchant::simt::Where where = penchant::simt::Where::current()) {
  return penchant::simt::exchange(penchant::simt::WarpOp::shuffle_down, mask, value,
                                  static_cast<int>(distance), width, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              penchant::simt::Where where = penchant::simt::Where::current()) {
  return static_cast<unsigned>(penchant::simt::Machine::running().warp_exchange(
      penchant::simt::WarpOp::ballot, mask, 0, predicate, 32, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      penchant::simt::Where where = penchant::simt::Where::current()) {
  return static_cast<int>(penchant::simt::Machine::running().warp_exchange(
      penchant::simt::WarpOp::any, mask, 0, predicate, 32, where));
}
inline int __all_sync(unsigned mask, int predicate,
                      penchant::simt::Where where = penchant::simt::Where::current()) {
  return static_cast<int>(penchant::simt::Machine::running().warp_exchange(
      penchant::simt::WarpOp::all, mask, 0, predicate, 32, where));
}

template <typename T>
T atomicAdd(T* place, T value) {
  penchant::simt::Machine::running().note_atomic(place, sizeof(T));
  const T before = *place;
  *place = before + value;
  return before;
}
template <typename T>
T atomicAdd(const penchant::simt::SharedPointer<T>& place, T value) {
  return place.atomic_add(value);
}
template <typename T>
T atomicOr(T* place, T value) {
  penchant::simt::Machine::running().note_atomic(place, sizeof(T));
  const T before = *place;
  *place = before | value;
  return before;
}
template <typename T>
T __ldg(const T* place) {
  penchant::simt::Machine::running().note_read_only(place, sizeof(T));
  return *place;
}

inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline std::uint32_t __float_as_uint(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __uint_as_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline std::uint32_t __umulhi(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
