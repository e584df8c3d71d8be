// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011), from the authors' Random123. A value depends on (seed, stream, position)
// only: never on threads, order or history, so that a sampler restarts at any position and every
// backend draws the same numbers.
#pragma once

#include <array>
#include <cstdint>

#include "graph/error.h"
#include "graph/ids.h"

namespace penchant::graph {

/// Names of independent streams under one seed. A new use gets a new number; numbers are never
/// reused.
enum class Stream : std::uint32_t {
  initialization = 1,
  shuffle = 2,
  negatives = 3,
  split = 4,
  dropout = 5,
  generator = 6,
  partition = 7,
  validation = 8,
  distillation = 9,
  later_rows = 10,
  content = 11,
  explanation = 12,
};

/// Random access into one stream.
class Random {
 public:
  /// `substream` separates uses within one stream, such as epochs.
  Random(Seed seed, Stream stream, std::uint64_t substream = 0);

  /// Four independent 32-bit words at a position.
  std::array<std::uint32_t, 4> words(std::uint64_t position) const;
  /// 64 random bits at a position.
  std::uint64_t bits(std::uint64_t position) const;
  /// Uniform in [0, 1), 53 bits.
  double uniform(std::uint64_t position) const;
  /// Uniform integer in [0, bound), bound > 0; bias below 2^-32 for the bounds of this engine
  /// (multiply-shift).
  std::uint64_t below(std::uint64_t position, std::uint64_t bound) const;
  /// Standard normal by Box-Muller.
  double normal(std::uint64_t position) const;
  /// Philox's key and the upper half of its counter, for code that draws many positions at once.
  std::array<std::uint32_t, 2> key() const { return key_; }
  std::array<std::uint32_t, 2> stream() const { return stream_; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> stream_;
};

/// A bijection of [0, size) that is evaluated position by position without storing it (a four-round
/// Feistel network with cycle walking): the shuffle of an epoch, resumable at any position.
class Permutation {
 public:
  Permutation(Seed seed, Stream stream, std::uint64_t substream, std::uint64_t size);
  std::uint64_t operator()(std::uint64_t position) const;
  std::uint64_t size() const { return size_; }

 private:
  Random random_;
  std::uint64_t size_;
  std::uint32_t half_bits_;
};

}  // namespace penchant::graph
