// SPDX-License-Identifier: Apache-2.0
// Random bits that nobody can guess or repeat, for noise that hides people. The training seed must not
// make it: the seed stands in the model's manifest, and who knows the noise subtracts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace penchant::pipeline {

__extension__ using Uint128 = unsigned __int128;

/// Where bits come from: the system, or in tests a generator that repeats.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual std::uint64_t bits() = 0;

  /// Uniform in [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  Uint128 below_wide(Uint128 bound);
};

/// The kernel's generator (getrandom), a block at a time; the block is wiped as it is used. Throws
/// std::system_error if the system has none.
class SystemRandom final : public RandomSource {
 public:
  SystemRandom();
  ~SystemRandom() override;
  SystemRandom(const SystemRandom&) = delete;
  SystemRandom& operator=(const SystemRandom&) = delete;
  std::uint64_t bits() override;

 private:
  std::vector<std::uint64_t> block_;
  std::size_t next_;
};

}  // namespace penchant::pipeline
