// SPDX-License-Identifier: Apache-2.0
// What a private model is asked for: docs/privacy_differential.md.
#pragma once

#include <cstdint>

namespace penchant::pipeline {

/// Nothing here is chosen by looking at the data: a choice would be a release of its own.
struct ReleaseOptions {
  double epsilon = 0.0;        ///< of this release; must be given, above 0
  double delta = 0.0;          ///< of this release; must be given, above 0 and below 1 / users
  double total_epsilon = 0.0;  ///< of all releases of the data set; 0: as its ledger says, and the
                               ///< first release allows its own epsilon and no more
  std::int64_t max_rows_per_user = 50;  ///< items of a user that count, drawn by a keyed hash
  std::int64_t head_items = 3000;       ///< most popular items, from which directions are learned
  std::int64_t rounds = 2;              ///< of subspace iteration over these; each is a release
  double item_power = 0.5;              ///< an item counts popularity ^ -item_power in a user's row
};

}  // namespace penchant::pipeline
