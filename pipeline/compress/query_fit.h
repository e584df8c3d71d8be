// SPDX-License-Identifier: Apache-2.0
// Users' vectors that rank quantised items as the users' own rank the items: the error of an item's
// code is fixed, a user's vector is not. With x_i what the code of item i stands for, v_i its vector
// and L the user's best items,
//   q = argmin  1/|L| sum_(i in L) (q'x_i - u'v_i)^2 + alpha / I sum_i (q'x_i - u'v_i)^2
// which is a system of D' equations a user. Source: own derivation; the second sum by the moments
// sum_i x_i x_i' and sum_i x_i v_i', as in Hu, Koren and Volinsky, ICDM 2008, section 4. Nothing of
// what people did is looked at, only scores. Measured: docs/small_models.md.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/matrix.h"
#include "pipeline/model/lists.h"

namespace penchant::pipeline {

/// How many of a user's best items a query is fitted to, and what all others weigh. Chosen on the
/// validation part of Gowalla (docs/small_models.md).
inline constexpr std::int64_t kFittedItems = 100;
inline constexpr double kOthersWeight = 0.1;

class QueryFit {
 public:
  /// items [I x D], decoded [I x D'], in host memory; they must outlive this.
  QueryFit(kernels::ConstFloatView items, kernels::ConstFloatView decoded,
           kernels::Backend& backend);
  /// users [B x D] and their best items with scores; queries [B x D'] are overwritten. A user without
  /// a list, or whose equations have no one solution, keeps the query that is there.
  void fit(kernels::ConstFloatView users, const ListBlock& best, kernels::FloatView queries) const;

 private:
  void fit_one(const float* user, const graph::NodeId* items, const float* scores,
               std::int64_t count, float* query) const;

  kernels::ConstFloatView decoded_;
  kernels::FloatMatrix gram_;   ///< alpha / I sum_i x_i x_i' [D' x D']
  kernels::FloatMatrix cross_;  ///< alpha / I sum_i x_i v_i' [D' x D]
};

}  // namespace penchant::pipeline
