// SPDX-License-Identifier: Apache-2.0
// Oracle of the ranking ops: all scores in double, full sorts. See linear.h.
#pragma once

#include <vector>

#include "graph/csr.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

/// [B x N]; `magnitude` bounds the error of a float32 score.
Sum scores(const Dense& queries, const Dense& items);
/// True if `item` stands in row `row` of `sets`; a matrix without rows is empty sets.
bool contains(const graph::CsrView& sets, std::int64_t row, std::int64_t item);

struct TopkResult {
  Dense ids;     ///< -1 where fewer than K are left
  Dense scores;  ///< -infinity there
};
TopkResult topk(const Dense& all_scores, const graph::CsrView& excluded, std::int64_t k);

/// One element per entry of targets, as one row each. Scores within `margin` (elementwise [B x N])
/// of the target's are neither certainly above nor certainly not: `least` counts the ones certainly
/// above, `most` also the doubtful ones, `equal` equal scores exactly.
struct RankCounts {
  Dense least, most, equal;
};
RankCounts rank_counts(const Dense& all_scores, const Dense& margin, const graph::CsrView& excluded,
                       const graph::CsrView& targets);

}  // namespace penchant::oracle
