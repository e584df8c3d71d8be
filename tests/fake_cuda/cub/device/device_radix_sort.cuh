// SPDX-License-Identifier: Apache-2.0
// CUB's sort on the stand-in: stable, by the bits that it is told to look at and no others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/fake_cuda/world.h"

namespace cub {

struct DeviceRadixSort {
  template <typename Key, typename Value>
  static cudaError_t SortPairs(void* memory, std::size_t& bytes, const Key* keys, Key* sorted_keys,
                               const Value* values, Value* sorted_values, int count, int first_bit,
                               int end_bit, cudaStream_t stream) {
    using penchant::fake_cuda::span;
    using penchant::fake_cuda::World;
    if (memory == nullptr) {
      bytes = 256 + static_cast<std::size_t>(count);
      return cudaSuccess;
    }
    World& world = World::get();
    penchant::fake_cuda::Operation sort;
    sort.name = "cub::DeviceRadixSort";
    sort.operands = {span(keys, count),
                     span(sorted_keys, count),
                     span(values, count),
                     span(sorted_values, count),
                     {memory, bytes}};
    sort.run = [=] {
      const auto digits = [&](int place) {
        const auto bits = static_cast<std::uint64_t>(keys[place]) >> first_bit;
        return bits & ((std::uint64_t{1} << (end_bit - first_bit)) - 1);
      };
      std::vector<int> places(static_cast<std::size_t>(count));
      std::iota(places.begin(), places.end(), 0);
      std::stable_sort(places.begin(), places.end(),
                       [&](int a, int b) { return digits(a) < digits(b); });
      for (int k = 0; k < count; ++k) {
        sorted_keys[k] = keys[places[static_cast<std::size_t>(k)]];
        sorted_values[k] = values[places[static_cast<std::size_t>(k)]];
      }
    };
    return world.enqueue(world.stream_of(stream), std::move(sort));
  }
};

}  // namespace cub
