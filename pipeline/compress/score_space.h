// SPDX-License-Identifier: Apache-2.0
// The space in which items are product-quantised. What counts is the error of scores u'v, not of
// vectors: with C = mean of u u' over users, E_u (u'e)^2 = |C^(1/2) e|^2. So items are moved to
// y = C^(1/2) v and users to C^(-1/2) u, whose products are the same, and turned so that the
// sub-vectors of a product quantiser are uncorrelated and of equal volume: principal axes of y, the
// largest to the group whose product of variances is the smallest (Ge et al., "Optimized Product
// Quantization", TPAMI 2014, section 4.3).
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace penchant::pipeline {

struct ScoreSpace {
  kernels::FloatMatrix item_map;  ///< [D' x D]: z = item_map v
  kernels::FloatMatrix user_map;  ///< [D' x D]: q = user_map u, q'z = u'v
};

/// D' = the width D filled up with zeros to a multiple of `groups`, of which each takes D' / groups
/// neighbouring coordinates. users [U x D], items [I x D], in the memory of the CPU backend.
ScoreSpace score_space(kernels::ConstFloatView users, kernels::ConstFloatView items,
                       std::int64_t groups, kernels::Backend& backend);

/// map applied to each row: [N x D'].
kernels::FloatMatrix mapped_rows(kernels::ConstFloatView rows, const kernels::FloatMatrix& map,
                                 kernels::Backend& backend);

}  // namespace penchant::pipeline
