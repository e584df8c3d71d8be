// SPDX-License-Identifier: Apache-2.0
// The emulation's twin of kernels/cuda/launch.cuh: with tests/simt first on the include path, the
// sources of kernels/cuda/ find this file under that name and run on a simt::Machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/error.h"
#include "tests/simt/launch_words.h"

namespace penchant::kernels::cuda {

using Stream = simt::Machine*;

struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
};

/// Kernels' parameters of type `const T*` are all __restrict__, which lets nvcc read through the
/// read-only cache.
template <typename Parameter>
void note_read_only(std::vector<const void*>& pointers, const Parameter& argument) {
  if constexpr (std::is_pointer_v<Parameter> && std::is_const_v<std::remove_pointer_t<Parameter>>) {
    if (argument != nullptr) pointers.push_back(argument);
  }
}

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Stream machine,
            Arguments&&... arguments) {
  std::vector<const void*> read_only;
  (note_read_only<Parameters>(read_only, static_cast<Parameters>(arguments)), ...);
  machine->run(
      shape.grid, shape.block, shape.shared_bytes,
      [&] { kernel(static_cast<Parameters>(arguments)...); }, read_only);
}

}  // namespace penchant::kernels::cuda
