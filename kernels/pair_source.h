// SPDX-License-Identifier: Apache-2.0
// Pairs of users and items that training draws: operands of Backend::pair_source and draw_pairs.
#pragma once

#include <cstdint>
#include <span>

#include "graph/csr.h"
#include "graph/ids.h"
#include "kernels/matrix.h"

namespace penchant::kernels {

/// The pairs of users and items that training draws from, and how it draws negatives; all in host
/// memory that is free again after Backend::pair_source. Random numbers are those of graph/random.h
/// under `seed`, so that every backend draws the same.
struct PairSourceOptions {
  graph::CsrView user_items;  ///< [U x I] the pairs; columns of a row ascend
  /// [I] Walker's alias table of the negatives (Vose 1991): slot i keeps i with probability
  /// thresholds_i, else gives aliases_i.
  std::span<const double> thresholds;
  std::span<const graph::NodeId> aliases;
  /// [U + I] what is written for user u (u) and item i (U + i); empty: u and i themselves.
  std::span<const graph::NodeId> node_ids;
  std::span<const float> item_bias;  ///< [I] or empty
  graph::Seed seed;
};

/// A PairSourceOptions prepared for one backend.
class PairSource {
 public:
  virtual ~PairSource() = default;
  virtual std::int64_t num_pairs() const = 0;
};

/// Which pairs draw_pairs draws, and where it writes them. Pair b is number P(first_pair + b) of
/// the matrix, P the permutation of stream `shuffle`, substream `epoch`. Negatives follow the alias
/// table at positions of stream `negatives`, same substream:
///   own     negatives [B]: at most 8 draws, positions 8 (first_pair + b) and on, until one is not
///           an item of the user
///   shared  negatives [M]: positions first_negative + m
/// Biases are item_bias of the items drawn; empty views: none.
enum class Negatives : bool { own, shared };
struct PairDraw {
  std::uint64_t epoch = 0;
  std::int64_t first_pair = 0;
  Negatives kind = Negatives::own;
  std::int64_t first_negative = 0;
  VectorView<graph::NodeId> users;      ///< [B]
  VectorView<graph::NodeId> positives;  ///< [B]
  VectorView<graph::NodeId> negatives;  ///< [B] or [M]
  VectorView<float> positive_bias;      ///< [B] or empty
  VectorView<float> negative_bias;      ///< as negatives, or empty
};

}  // namespace penchant::kernels
