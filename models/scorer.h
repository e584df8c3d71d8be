// SPDX-License-Identifier: Apache-2.0
// Models that score a tile of users against all items at once, because their scores are no inner
// products of short vectors.
#pragma once

#include "kernels/backend.h"

namespace penchant::models {

class Scorer {
 public:
  virtual ~Scorer() = default;
  /// scores [I x B] on the device, one row an item, one column a user of `users` [B], which lie in
  /// host memory: overwritten. A user's
  /// scores do not depend on the others of the tile beyond rounding. The larger the tile, up to
  /// several hundred users, the less a score costs.
  virtual void score(kernels::IdView users, kernels::Backend& backend,
                     kernels::FloatView scores) = 0;
};

}  // namespace penchant::models
