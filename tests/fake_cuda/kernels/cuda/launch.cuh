// SPDX-License-Identifier: Apache-2.0
// The stand-in's twin of kernels/cuda/launch.cuh: with tests/fake_cuda first on the include path,
// the sources of kernels/cuda/ find this file under that name. A launch copies its arguments and
// queues the kernel, which runs on the emulation of tests/simt when its stream is waited for.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <tuple>
#include <utility>

#include "graph/error.h"
#include "tests/fake_cuda/world.h"
#include "tests/simt/launch_words.h"

namespace penchant::kernels::cuda {

using Stream = cudaStream_t;

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  std::source_location where = std::source_location::current();
};

/// As a launch on a GPU, it reports the error that an earlier call has left.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Stream stream,
            Arguments&&... arguments) {
  const auto extent = [](const dim3& d) { return simt::Extent(d.x, d.y, d.z); };
  const std::string name = std::string(shape.where.file_name()) + ":" +
                           std::to_string(shape.where.line()) + " " +
                           std::to_string(reinterpret_cast<std::uintptr_t>(kernel));
  const cudaError_t left = cudaGetLastError();
  cudaError_t status = fake_cuda::World::get().enqueue_kernel(
      stream, name, extent(shape.grid), extent(shape.block), shape.shared_bytes,
      [kernel, values = std::tuple<Parameters...>(static_cast<Parameters>(
                   std::forward<Arguments>(arguments))...)] { std::apply(kernel, values); });
  if (status == cudaSuccess) status = left;
  if (status != cudaSuccess)
    throw DeviceError("kernel launch at " + name + ": " + cudaGetErrorName(status));
}

}  // namespace penchant::kernels::cuda
