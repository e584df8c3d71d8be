// SPDX-License-Identifier: Apache-2.0
// Exponentials of rows of scores over all items, of which a softmax is made. In host memory, on the
// CPU.
#pragma once

#include <span>

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::kernels {

/// scores_bi <- exp(scores_bi - m_b), m_b the largest of row b, which becomes maxima[b]; sums[b]
/// receives what the row adds up to. scores [B x I]; `excluded` [B x I] become 0 and do not count
/// (num_rows = 0: none). A row without a finite score: zeros, maximum -infinity, sum 0.
void exponentiate_rows(FloatView scores, const graph::CsrView& excluded, std::span<float> maxima,
                       std::span<float> sums);

}  // namespace penchant::kernels
