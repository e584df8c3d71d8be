// SPDX-License-Identifier: Apache-2.0
// Random bits that come again, for tests of noise: SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
#pragma once

#include <cstdint>

#include "pipeline/privacy/random_source.h"

namespace penchant::testing {

class RepeatingRandom final : public pipeline::RandomSource {
 public:
  explicit RepeatingRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() override {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace penchant::testing
