// SPDX-License-Identifier: Apache-2.0
// Batches of pairs with negatives. Every number is a function of (seed, epoch, position), so the
// loop may be divided at will.
#include <algorithm>
#include <string_view>
#include <vector>

#include "graph/random.h"
#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/pair_draws.h"

namespace penchant::kernels {

namespace {

class CpuPairSource final : public PairSource {
 public:
  explicit CpuPairSource(const PairSourceOptions& options)
      : arrays_(options), seed_(options.seed) {}
  std::int64_t num_pairs() const override {
    return static_cast<std::int64_t>(arrays_.items.size());
  }
  std::int64_t num_items() const { return static_cast<std::int64_t>(arrays_.aliases.size()); }
  bool has_bias() const { return !arrays_.item_bias.empty(); }
  graph::Seed seed() const { return seed_; }

  /// The user that has pair `pair`.
  std::int64_t user_of(std::int64_t pair) const {
    return std::upper_bound(arrays_.offsets.begin(), arrays_.offsets.end(), pair) -
           arrays_.offsets.begin() - 1;
  }
  graph::NodeId item_of(std::int64_t pair) const { return arrays_.items[graph::at(pair)]; }
  bool has(std::int64_t user, graph::NodeId item) const {
    return std::binary_search(arrays_.items.begin() + arrays_.offsets[graph::at(user)],
                              arrays_.items.begin() + arrays_.offsets[graph::at(user + 1)], item);
  }
  graph::NodeId draw_negative(const graph::Random& random, std::uint64_t position) const {
    const auto word = random.words(position);
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t bits = word[0] | (static_cast<std::uint64_t>(word[1]) << 32);
    const auto slot =
        static_cast<std::size_t>((static_cast<Wide>(bits) * arrays_.thresholds.size()) >> 64);
    const double coin =
        (static_cast<double>(word[2]) + static_cast<double>(word[3]) * 0x1p-32) * 0x1p-32;
    return coin < arrays_.thresholds[slot] ? static_cast<graph::NodeId>(slot)
                                           : arrays_.aliases[slot];
  }
  graph::NodeId user_node(std::int64_t user) const {
    return arrays_.node_ids.empty() ? static_cast<graph::NodeId>(user)
                                    : arrays_.node_ids[graph::at(user)];
  }
  graph::NodeId item_node(graph::NodeId item) const {
    return arrays_.node_ids.empty()
               ? item
               : arrays_.node_ids[arrays_.offsets.size() - 1 + static_cast<std::size_t>(item)];
  }
  float bias(graph::NodeId item) const { return arrays_.item_bias[static_cast<std::size_t>(item)]; }

 private:
  PairArrays arrays_;
  graph::Seed seed_;
};

}  // namespace

std::unique_ptr<PairSource> CpuBackend::pair_source(const PairSourceOptions& options) {
  check_pair_source(options);
  return std::make_unique<CpuPairSource>(options);
}

// draw_pairs: a pair of the matrix in a random order, and the negative of each or of all.
// Computes    pair P(first_pair + b); negatives by the alias table (PairDraw)
// Shapes      users, positives [B] int32, negatives [B] or [M] int32, biases alike float32
// Mapping     places divided among threads
// Memory      a binary search in the offsets of users and one in the user's row a pair; bound:
//             Philox and cache misses
// Regime      any
// Numerics    integers, and one comparison in double; the same on every backend
// Edge cases  a user that has every item keeps the last of eight draws
// Source      Vose 1991; Philox: Salmon et al. 2011
// Measured    not yet measured by itself
void CpuBackend::draw_pairs(const PairSource& source, const PairDraw& draw) {
  const ThreadScope threads(num_threads_);
  const auto* own = dynamic_cast<const CpuPairSource*>(&source);
  if (own == nullptr) throw InputError("draw_pairs: the pairs were prepared by another backend");
  check_pair_draw(draw, own->num_pairs(), own->num_items(), own->has_bias(), Device::cpu);
  const bool shared = draw.kind == Negatives::shared;
  const graph::Random random(own->seed(), graph::Stream::negatives, draw.epoch);
  const bool positive_bias = draw.positive_bias.size > 0;
  const bool negative_bias = draw.negative_bias.size > 0;
  const auto write_negative = [&](std::int64_t place, graph::NodeId item) {
    draw.negatives[place] = own->item_node(item);
    if (negative_bias) draw.negative_bias[place] = own->bias(item);
  };
  if (draw.users.size > 0) {
    const graph::Permutation shuffle(own->seed(), graph::Stream::shuffle, draw.epoch,
                                     static_cast<std::uint64_t>(own->num_pairs()));
#pragma omp parallel for schedule(static)
    for (std::int64_t b = 0; b < draw.users.size; ++b) {
      const auto position = static_cast<std::uint64_t>(draw.first_pair + b);
      const auto pair = static_cast<std::int64_t>(shuffle(position));
      const std::int64_t user = own->user_of(pair);
      const graph::NodeId item = own->item_of(pair);
      draw.users[b] = own->user_node(user);
      draw.positives[b] = own->item_node(item);
      if (positive_bias) draw.positive_bias[b] = own->bias(item);
      if (shared) continue;
      graph::NodeId negative = 0;
      for (std::uint64_t attempt = 0; attempt < kNegativeTries; ++attempt) {
        negative = own->draw_negative(random, position * kNegativeTries + attempt);
        if (!own->has(user, negative)) break;
      }
      write_negative(b, negative);
    }
  }
  if (!shared) return;
#pragma omp parallel for schedule(static)
  for (std::int64_t m = 0; m < draw.negatives.size; ++m)
    write_negative(m,
                   own->draw_negative(random, static_cast<std::uint64_t>(draw.first_negative + m)));
}

}  // namespace penchant::kernels
