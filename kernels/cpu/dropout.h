// SPDX-License-Identifier: Apache-2.0
// What the per-target part of dropout.cc needs to know.
#pragma once

#include <array>
#include <cstdint>

namespace penchant::kernels {

struct DropoutStream {
  std::array<std::uint32_t, 2> key, stream;  ///< of graph::Random
  std::uint32_t limit;                       ///< words below drop their element
  float scale;
};

}  // namespace penchant::kernels
