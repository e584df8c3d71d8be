// SPDX-License-Identifier: Apache-2.0
// What kernels/cuda/launch.cuh gives kernels beside launch() itself, for its twins of the emulation
// and of the stand-in for a GPU.
#pragma once

#include <cstdint>

#include "tests/simt/language.h"
#include "tests/simt/machine.h"
#include "tests/simt/shared_memory.h"

// The address of the lambda's static variable tells this declaration from every other.
#define PENCHANT_SHARED(T, name, count)                \
  const auto name = ::penchant::simt::shared_array<T>( \
      [] {                                             \
        static const char declaration = 0;             \
        return static_cast<const void*>(&declaration); \
      }(),                                             \
      #name, count)
#define PENCHANT_DYNAMIC_SHARED(T, name) \
  const auto name = ::penchant::simt::dynamic_shared_array<T>(#name)

namespace penchant::kernels::cuda {

template <typename T>
using SharedPointer = simt::SharedPointer<T>;

template <typename T>
const T* byte_offset(const T* base, std::uint32_t a, std::uint32_t b) {
  return reinterpret_cast<const T*>(reinterpret_cast<std::uintptr_t>(base) + std::uint64_t{a} * b);
}

inline constexpr int kWarpSize = static_cast<int>(simt::kWarpSize);
inline constexpr unsigned kFullWarp = 0xFFFFFFFFU;

}  // namespace penchant::kernels::cuda
