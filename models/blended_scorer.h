// SPDX-License-Identifier: Apache-2.0
// Trained vectors and other scores in one sum: score(u, i) = <users_u, items_i> + sum_k w_k s_k(u,
// i). What the vectors generalise and what a filter remembers of single links add up to more than
// either (docs/decisions/0008-filter-beside-vectors.md); where people buy the same things again, so
// does what each of them did before (docs/decisions/0022-repeats.md).
#pragma once

#include <memory>
#include <vector>

#include "models/scorer.h"

namespace penchant::models {

struct WeightedScorer {
  std::shared_ptr<Scorer> scorer;
  float weight = 0.0F;
};

class BlendedScorer final : public Scorer {
 public:
  /// users [U x D], items [I x D]: views, their owners must outlive this. Throws InputError if a
  /// weight is not finite.
  BlendedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
                std::vector<WeightedScorer> others);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  void score_people(const People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;

 private:
  kernels::ConstFloatView users_, items_;
  std::vector<WeightedScorer> others_;
};

/// score(u, i) = sum_k w_k s_k(u, i): the same without vectors.
class ScorerSum final : public Scorer {
 public:
  /// At least one term. Throws InputError if a weight is not finite.
  explicit ScorerSum(std::vector<WeightedScorer> terms);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  void score_people(const People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;

 private:
  std::vector<WeightedScorer> terms_;
};

}  // namespace penchant::models
