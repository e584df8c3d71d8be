// SPDX-License-Identifier: Apache-2.0
#include "graph/random.h"

#include <cmath>
#include <numbers>

#include <Random123/philox.h>

namespace penchant::graph {

Random::Random(Seed seed, Stream stream, std::uint64_t substream) {
  const auto bits = static_cast<std::uint64_t>(seed);
  key_ = {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
  // The counter's upper half names the stream: 8 bits of stream, 56 bits of substream.
  const std::uint64_t name = (static_cast<std::uint64_t>(stream) << 56) ^ substream;
  stream_ = {static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(name >> 32)};
}

std::array<std::uint32_t, 4> Random::words(std::uint64_t position) const {
  const philox4x32_ctr_t counter = {{static_cast<std::uint32_t>(position),
                                     static_cast<std::uint32_t>(position >> 32), stream_[0],
                                     stream_[1]}};
  const philox4x32_key_t key = {{key_[0], key_[1]}};
  const philox4x32_ctr_t result = philox4x32(counter, key);
  return {result[0], result[1], result[2], result[3]};
}

std::uint64_t Random::bits(std::uint64_t position) const {
  const auto word = words(position);
  return word[0] | (static_cast<std::uint64_t>(word[1]) << 32);
}

double Random::uniform(std::uint64_t position) const {
  return static_cast<double>(bits(position) >> 11) * 0x1.0p-53;
}

std::uint64_t Random::below(std::uint64_t position, std::uint64_t bound) const {
  PENCHANT_ASSERT(bound > 0);
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(bits(position)) * bound) >> 64);
}

double Random::normal(std::uint64_t position) const {
  const auto word = words(position);
  const std::uint64_t first = word[0] | (static_cast<std::uint64_t>(word[1]) << 32);
  const std::uint64_t second = word[2] | (static_cast<std::uint64_t>(word[3]) << 32);
  const double radius_source = (static_cast<double>(first >> 11) + 0.5) * 0x1.0p-53;  // in (0, 1)
  const double angle = static_cast<double>(second >> 11) * 0x1.0p-53 * 2.0 * std::numbers::pi;
  return std::sqrt(-2.0 * std::log(radius_source)) * std::cos(angle);
}

Permutation::Permutation(Seed seed, Stream stream, std::uint64_t substream, std::uint64_t size)
    : random_(seed, stream, substream), size_(size), half_bits_(1) {
  while (half_bits_ < 32 && (1ULL << (2 * half_bits_)) < size) ++half_bits_;
}

std::uint64_t Permutation::operator()(std::uint64_t position) const {
  PENCHANT_ASSERT(position < size_);
  constexpr std::uint32_t kRounds = 4;
  const std::uint64_t mask = (1ULL << half_bits_) - 1;
  // Cycle walking: the network permutes the next power of four; values outside [0, size) are sent
  // through again.
  std::uint64_t value = position;
  do {
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed =
          left ^ (random_.words((static_cast<std::uint64_t>(round) << 56) | right)[0] & mask);
      left = right;
      right = mixed;
    }
    value = (left << half_bits_) | right;
  } while (value >= size_);
  return value;
}

}  // namespace penchant::graph
