// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/random_source.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace penchant::pipeline {

namespace {

constexpr std::size_t kBlockWords = 8192;

}  // namespace

std::uint64_t RandomSource::below(std::uint64_t bound) {
  if (bound == 1) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(bound - 1);
  for (;;) {
    const std::uint64_t drawn = bits() & mask;
    if (drawn < bound) return drawn;
  }
}

Uint128 RandomSource::below_wide(Uint128 bound) {
  const auto high = static_cast<std::uint64_t>((bound - 1) >> 64);
  if (high == 0) {
    const auto low = static_cast<std::uint64_t>(bound - 1);
    if (low != ~std::uint64_t{0}) return below(low + 1);
    return bits();
  }
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(high);
  for (;;) {
    const Uint128 drawn = (static_cast<Uint128>(bits() & mask) << 64) | bits();
    if (drawn < bound) return drawn;
  }
}

SystemRandom::SystemRandom() : block_(kBlockWords), next_(kBlockWords) {}

SystemRandom::~SystemRandom() {
  explicit_bzero(block_.data(), block_.size() * sizeof(std::uint64_t));
}

std::uint64_t SystemRandom::bits() {
  if (next_ == block_.size()) {
    auto* const bytes = reinterpret_cast<char*>(block_.data());
    const std::size_t size = block_.size() * sizeof(std::uint64_t);
    for (std::size_t filled = 0; filled < size;) {
      const ssize_t got = getrandom(bytes + filled, size - filled, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw std::system_error(errno, std::generic_category(), "getrandom: no random bits");
      filled += static_cast<std::size_t>(got);
    }
    next_ = 0;
  }
  const std::uint64_t drawn = block_[next_];
  block_[next_++] = 0;
  return drawn;
}

}  // namespace penchant::pipeline
