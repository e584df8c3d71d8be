// SPDX-License-Identifier: Apache-2.0
// Trained vectors and a filter in one score: score(u, i) = <users_u, items_i> + w filter(u, i).
// What the vectors generalise and what the filter remembers of single links add up to more than
// either (docs/decisions/0008-filter-beside-vectors.md).
#pragma once

#include <memory>

#include "models/scorer.h"

namespace penchant::models {

class BlendedScorer final : public Scorer {
 public:
  /// users [U x D], items [I x D]: views, their owners must outlive this. Throws InputError if the
  /// weight is not finite.
  BlendedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
                std::shared_ptr<Scorer> filter, float filter_weight);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;

 private:
  kernels::ConstFloatView users_, items_;
  std::shared_ptr<Scorer> filter_;
  float filter_weight_;
};

}  // namespace penchant::models
