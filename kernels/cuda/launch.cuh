// SPDX-License-Identifier: Apache-2.0
// The launch wrapper: the one place with <<< >>>. Kernels and their host launchers (kernels/cuda/
// <op>.cuh) include this header and no CUDA header, so that the same sources compile twice:
//   - by nvcc, with this file: kernels run on the device
//   - by the host compiler, with tests/simt first on the include path: there
//     tests/simt/kernels/cuda/launch.cuh is found instead, and every thread of a block is a fiber
// Kernel sources may use: __global__, __device__, __launch_bounds__, threadIdx, blockIdx, blockDim,
// gridDim, __syncthreads, __syncwarp, __shfl_sync, __shfl_xor_sync, __shfl_up_sync,
// __shfl_down_sync, __ballot_sync, __any_sync, __all_sync, atomicAdd, atomicOr, __ldg, float2, float4, int4,
// uint4, uint2, float maths such as expf and rsqrtf, __float_as_uint, __uint_as_float, __umulhi,
// __popc, __ffs, byte_offset() and the two macros for shared memory below. Launchers never allocate and never
// wait.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "graph/error.h"

/// `T name[count]` in the block's shared memory; count is a constant.
#define PENCHANT_SHARED(T, name, count) __shared__ T name[count]
/// `T* name`: the launch's dynamic shared memory (LaunchShape::shared_bytes), 16-byte aligned.
#define PENCHANT_DYNAMIC_SHARED(T, name)              \
  extern __shared__ float4 penchant_dynamic_shared[]; \
  T* name = reinterpret_cast<T*>(penchant_dynamic_shared)

namespace penchant::kernels::cuda {

using Stream = cudaStream_t;

/// What PENCHANT_SHARED and PENCHANT_DYNAMIC_SHARED names decay to, for device functions that take
/// shared memory.
template <typename T>
using SharedPointer = T*;

/// base + a * b, bytes: one instruction. Of the product in C++ nvcc 13.0 widens b in front of a loop
/// and adds its upper half, zero, at each entry; where the sum is assembly as well (mad.wide), it
/// takes three.
template <typename T>
__device__ __forceinline__ const T* byte_offset(const T* base, std::uint32_t a, std::uint32_t b) {
  std::uint64_t offset;
  asm("mul.wide.u32 %0, %1, %2;" : "=l"(offset) : "r"(a), "r"(b));
  return reinterpret_cast<const T*>(reinterpret_cast<const char*>(base) + offset);
}

/// Lanes of a warp.
inline constexpr int kWarpSize = 32;
inline constexpr unsigned kFullWarp = 0xFFFFFFFFU;

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  ///< dynamic; at most 48 KiB
  std::source_location where = std::source_location::current();
};

/// Throws DeviceError if the last launch failed. With PENCHANT_SYNC_LAUNCHES=1 it waits for the
/// kernel first, so that a fault names its launch.
inline void check_launch(Stream stream, const std::source_location& where) {
  static const bool sync_launches = [] {
    const char* text = std::getenv("PENCHANT_SYNC_LAUNCHES");
    return text != nullptr && std::string_view(text) == "1";
  }();
  cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess && sync_launches) status = cudaStreamSynchronize(stream);
  if (status == cudaSuccess) return;
  throw DeviceError("kernel launch at " + std::string(where.file_name()) + ":" +
                    std::to_string(where.line()) + " in " + where.function_name() + ": " +
                    cudaGetErrorName(status) + ", " + cudaGetErrorString(status));
}

/// Enqueues kernel<<<grid, block, shared_bytes, stream>>>(arguments...).
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Stream stream,
            Arguments&&... arguments) {
  kernel<<<shape.grid, shape.block, shape.shared_bytes, stream>>>(
      static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  check_launch(stream, shape.where);
}

}  // namespace penchant::kernels::cuda
