// SPDX-License-Identifier: Apache-2.0
// Models that score a tile of users against all items at once, because their scores are no inner
// products of short vectors.
#pragma once

#include <cstdint>
#include <span>

#include "graph/csr.h"
#include "graph/ids.h"
#include "kernels/backend.h"

namespace penchant::models {

/// B people by what they had, whether or not a model was trained on them.
struct People {
  graph::CsrView rows;  ///< [B x I] what they had, as their rows of the interaction matrix
  std::span<const std::int64_t> event_offsets;  ///< [B + 1] of their events, oldest first
  std::span<const graph::NodeId> event_items;
  /// [B x D] for inner products with a model's vectors of items, columns of popularity included;
  /// without columns where there are none.
  kernels::ConstFloatView vectors;
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  /// scores [I x B] on the device, one row an item, one column a user of `users` [B], which lie in
  /// host memory: overwritten. A user's
  /// scores do not depend on the others of the tile beyond rounding. The larger the tile, up to
  /// several hundred users, the less a score costs.
  virtual void score(kernels::IdView users, kernels::Backend& backend,
                     kernels::FloatView scores) = 0;
  /// The same [I x B] of people whose rows are not empty. What is said of a user of the data with
  /// the same rows and events, but for the vectors, which are theirs. Throws InputError where scores
  /// are known of users only.
  virtual void score_people(const People& people, kernels::Backend& backend,
                            kernels::FloatView scores);
};

}  // namespace penchant::models
