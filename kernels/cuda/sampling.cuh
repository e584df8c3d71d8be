// SPDX-License-Identifier: Apache-2.0
// Batches of pairs with negatives on the device, so that a training step uploads nothing: the
// numbers of graph::Permutation and graph::Random at a position, bit by bit, as the CPU draws them.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/random.cuh"
#include "kernels/pair_draws.h"

namespace penchant::kernels::cuda {

/// PairSourceOptions in device memory.
struct DevicePairs {
  const std::int64_t* offsets = nullptr;    ///< [U + 1]
  const graph::NodeId* items = nullptr;     ///< [E]
  const double* thresholds = nullptr;       ///< [I]
  const graph::NodeId* aliases = nullptr;   ///< [I]
  const graph::NodeId* node_ids = nullptr;  ///< [U + I], or null
  const float* item_bias = nullptr;         ///< [I], or null
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::int64_t num_pairs = 0;
  graph::Seed seed;
};

namespace {

/// graph::Permutation, evaluated on the device.
struct Shuffle {
  Philox philox;
  std::uint64_t size;
  std::uint32_t half_bits = 1;

  Shuffle(graph::Seed seed, std::uint64_t epoch, std::uint64_t count)
      : philox(seed, graph::Stream::shuffle, epoch), size(count) {
    while (half_bits < 32 && (1ULL << (2 * half_bits)) < size) ++half_bits;
  }
  __device__ std::uint64_t at(std::uint64_t position) const {
    const std::uint64_t mask = (1ULL << half_bits) - 1;
    std::uint64_t value = position;
    do {
      std::uint64_t left = value >> half_bits;
      std::uint64_t right = value & mask;
      for (std::uint64_t round = 0; round < 4; ++round) {
        const std::uint64_t mixed = left ^ (philox.words((round << 56) | right).x & mask);
        left = right;
        right = mixed;
      }
      value = (left << half_bits) | right;
    } while (value >= size);
    return value;
  }
};

/// What both ops draw and write.
struct PairDrawer {
  DevicePairs pairs;
  Philox philox;
  graph::NodeId* negatives;
  float* negative_bias;

  __device__ graph::NodeId draw(std::uint64_t position) const {
    const uint4 word = philox.words(position);
    // The upper half of the product of 64 random bits and I < 2^31: no carry is lost.
    const auto count = static_cast<std::uint64_t>(pairs.num_items);
    const std::uint64_t low = (word.x * count) >> 32;
    const std::uint64_t slot = (word.y * count + low) >> 32;
    const double coin =
        (static_cast<double>(word.z) + static_cast<double>(word.w) * 0x1p-32) * 0x1p-32;
    return coin < pairs.thresholds[slot] ? static_cast<graph::NodeId>(slot) : pairs.aliases[slot];
  }
  __device__ graph::NodeId item_node(graph::NodeId item) const {
    return pairs.node_ids == nullptr ? item : pairs.node_ids[pairs.num_users + item];
  }
  __device__ void write_negative(std::int64_t place, graph::NodeId item) const {
    negatives[place] = item_node(item);
    if (negative_bias != nullptr) negative_bias[place] = pairs.item_bias[item];
  }
};

/// Pair b of the batch, and its own negative unless all share theirs.
struct DrawPair {
  PairDrawer drawer;
  Shuffle shuffle;
  std::int64_t first_pair;
  bool own_negatives;
  graph::NodeId* users;
  graph::NodeId* positives;
  float* positive_bias;

  /// The user whose row holds entry `pair`: the last whose row begins at or before it.
  __device__ std::int64_t user_of(std::int64_t pair) const {
    std::int64_t low = 0;
    std::int64_t high = drawer.pairs.num_users;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (drawer.pairs.offsets[middle + 1] <= pair)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
  __device__ bool has(std::int64_t user, graph::NodeId item) const {
    std::int64_t low = drawer.pairs.offsets[user];
    const std::int64_t end = drawer.pairs.offsets[user + 1];
    std::int64_t high = end;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (drawer.pairs.items[middle] < item)
        low = middle + 1;
      else
        high = middle;
    }
    return low < end && drawer.pairs.items[low] == item;
  }
  template <int N>
  __device__ void apply(std::int64_t, std::int64_t b) const {
    static_assert(N == 1);
    const DevicePairs& pairs = drawer.pairs;
    const auto position = static_cast<std::uint64_t>(first_pair + b);
    const auto pair = static_cast<std::int64_t>(shuffle.at(position));
    const std::int64_t user = user_of(pair);
    const graph::NodeId item = pairs.items[pair];
    users[b] = pairs.node_ids == nullptr ? static_cast<graph::NodeId>(user) : pairs.node_ids[user];
    positives[b] = drawer.item_node(item);
    if (positive_bias != nullptr) positive_bias[b] = pairs.item_bias[item];
    if (!own_negatives) return;
    graph::NodeId negative = 0;
    for (std::uint64_t attempt = 0; attempt < kNegativeTries; ++attempt) {
      negative = drawer.draw(position * kNegativeTries + attempt);
      if (!has(user, negative)) break;
    }
    drawer.write_negative(b, negative);
  }
};

/// Shared negative m.
struct DrawShared {
  PairDrawer drawer;
  std::int64_t first_negative;
  template <int N>
  __device__ void apply(std::int64_t, std::int64_t m) const {
    static_assert(N == 1);
    drawer.write_negative(m, drawer.draw(static_cast<std::uint64_t>(first_negative + m)));
  }
};

}  // namespace

/// The draw has been checked (kernels/pair_draws.h).
inline void draw_pairs(const DevicePairs& pairs, const PairDraw& draw, Stream stream) {
  const bool shared = draw.kind == Negatives::shared;
  const PairDrawer drawer{pairs, Philox(pairs.seed, graph::Stream::negatives, draw.epoch),
                          draw.negatives.data,
                          draw.negative_bias.size > 0 ? draw.negative_bias.data : nullptr};
  map_elements(
      DrawPair{drawer, Shuffle(pairs.seed, draw.epoch, static_cast<std::uint64_t>(pairs.num_pairs)),
               draw.first_pair, !shared, draw.users.data, draw.positives.data,
               draw.positive_bias.size > 0 ? draw.positive_bias.data : nullptr},
      1, draw.users.size, stream);
  if (shared) map_elements(DrawShared{drawer, draw.first_negative}, 1, draw.negatives.size, stream);
}

}  // namespace penchant::kernels::cuda
