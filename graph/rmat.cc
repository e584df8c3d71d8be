// SPDX-License-Identifier: Apache-2.0
#include "graph/rmat.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/core.h>

#include "graph/edge_blocks.h"
#include "graph/error.h"
#include "graph/random.h"

namespace penchant::graph {

namespace {

// Substreams of Stream::generator; those below 16 belong to graph/shop.cc.
constexpr std::uint64_t kRmatEdges = 16;
constexpr std::uint64_t kScramble = 17;
constexpr std::uint64_t kBipartiteEdges = 18;

void check_size(const char* what, int scale, int least, std::int64_t edge_factor) {
  if (scale < least || scale > 30)
    throw InputError(fmt::format("{} scale {}, expected {} to 30", what, scale, least));
  if (edge_factor < 0 || edge_factor > (std::int64_t{1} << 20))
    throw InputError(fmt::format("{} edge factor {}, expected 0 to 2^20", what, edge_factor));
}

/// A bijection of [0, 2^bits): odd multiplier, shift, odd multiplier, shift.
class Scramble {
 public:
  Scramble(Seed seed, int bits) : shift_(std::max(1, bits / 2)) {
    const auto word = Random(seed, Stream::generator, kScramble).words(0);
    multiplier_ = {word[0] | 1U, word[1] | 1U};
    addend_ = word[2];
    mask_ = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
  }
  NodeId operator()(std::uint32_t id) const {
    id = (id * multiplier_[0] + addend_) & mask_;
    id ^= id >> shift_;
    id = (id * multiplier_[1]) & mask_;
    return static_cast<NodeId>(id ^ (id >> shift_));
  }

 private:
  std::array<std::uint32_t, 2> multiplier_{};
  std::uint32_t addend_ = 0;
  std::uint32_t mask_ = 0;
  int shift_;
};

/// Rank in [0, count) with P(rank) ~ (rank + 1)^-exponent: the inverse of the integral over
/// [1/2, count + 1/2].
class PowerLaw {
 public:
  PowerLaw(double exponent, std::int64_t count)
      : power_(1.0 - exponent),
        low_(std::pow(0.5, power_)),
        range_(std::pow(static_cast<double>(count) + 0.5, power_) - low_),
        most_(static_cast<std::uint32_t>(count - 1)) {}
  std::uint32_t operator()(double uniform) const {
    return std::min(
        most_, static_cast<std::uint32_t>(std::pow(low_ + uniform * range_, 1.0 / power_) - 0.5));
  }

 private:
  double power_, low_, range_;
  std::uint32_t most_;
};

}  // namespace

// One level of the recursion takes 16 random bits, eight levels one call of Philox.
Csr generate_rmat(const RmatOptions& options) {
  check_size("R-MAT", options.scale, 0, options.edge_factor);
  if (!(options.a >= 0 && options.b >= 0 && options.c >= 0 &&
        options.a + options.b + options.c <= 1 + 1e-9)) {
    throw InputError(
        "R-MAT probabilities a, b, c must not be negative and must add up to at most 1");
  }
  const auto threshold = [](double probability) {
    return static_cast<std::uint32_t>(std::lround(probability * 65536.0));
  };
  const std::uint32_t right_above = threshold(options.a);
  const std::uint32_t lower = threshold(options.a + options.b);
  const std::uint32_t right_below = threshold(options.a + options.b + options.c);
  const Random random(options.seed, Stream::generator, kRmatEdges);
  const Scramble scramble(options.seed, options.scale);
  constexpr int kLevels = 8;
  const std::uint64_t calls = static_cast<std::uint64_t>(options.scale + kLevels - 1) / kLevels;
  const auto draw = [&](std::uint64_t edge) {
    std::uint32_t row = 0;
    std::uint32_t column = 0;
    for (int level = 0; level < options.scale;) {
      const auto words = random.words(edge * calls + static_cast<std::uint64_t>(level / kLevels));
      for (int k = 0; k < kLevels && level < options.scale; ++k, ++level) {
        const std::uint32_t x = (words[static_cast<std::size_t>(k / 2)] >> (16 * (k % 2))) & 0xFFFF;
        const bool below = x >= lower;
        const bool right = x >= (below ? right_below : right_above);
        row = (row << 1) | static_cast<std::uint32_t>(below);
        column = (column << 1) | static_cast<std::uint32_t>(right);
      }
    }
    if (row == column) return Edge{kNoNode, kNoNode};
    if (!options.scramble) return Edge{static_cast<NodeId>(row), static_cast<NodeId>(column)};
    return Edge{scramble(row), scramble(column)};
  };
  const std::int64_t num_nodes = std::int64_t{1} << options.scale;
  return csr_from_edge_blocks(
      num_nodes, num_nodes, num_nodes * options.edge_factor,
      [&](std::int64_t first, std::span<Edge> block) {
        for (std::size_t k = 0; k < block.size(); ++k)
          block[k] = draw(static_cast<std::uint64_t>(first) + k);
      },
      options.symmetric ? Direction::both : Direction::as_drawn);
}

Csr generate_bipartite(const BipartiteOptions& options) {
  check_size("bipartite", options.scale, 1, options.edge_factor);
  for (const double exponent : {options.user_exponent, options.item_exponent}) {
    if (!(exponent >= 0 && exponent < 1))
      throw InputError(
          fmt::format("bipartite exponent {}, expected at least 0 and below 1", exponent));
  }
  const std::int64_t half = std::int64_t{1} << (options.scale - 1);
  const Random random(options.seed, Stream::generator, kBipartiteEdges);
  const Scramble scramble(options.seed, options.scale - 1);
  const PowerLaw users(options.user_exponent, half);
  const PowerLaw items(options.item_exponent, half);
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {
    return static_cast<double>((std::uint64_t{high} << 21) | (low >> 11)) * 0x1.0p-53;
  };
  return csr_from_edge_blocks(
      2 * half, 2 * half, 2 * half * options.edge_factor,
      [&](std::int64_t first, std::span<Edge> block) {
        for (std::size_t k = 0; k < block.size(); ++k) {
          const auto word = random.words(static_cast<std::uint64_t>(first) + k);
          block[k] = {scramble(users(uniform(word[0], word[1]))),
                      static_cast<NodeId>(half + scramble(items(uniform(word[2], word[3]))))};
        }
      },
      Direction::both);
}

}  // namespace penchant::graph
