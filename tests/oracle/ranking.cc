// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace penchant::oracle {

Sum scores(const Dense& queries, const Dense& items) {
  Sum result(queries.rows, items.rows);
  for (std::int64_t b = 0; b < queries.rows; ++b) {
    for (std::int64_t i = 0; i < items.rows; ++i) {
      for (std::int64_t j = 0; j < queries.cols; ++j) {
        result.value(b, i) += queries(b, j) * items(i, j);
        result.magnitude(b, i) += std::abs(queries(b, j) * items(i, j));
      }
    }
  }
  return result;
}

bool contains(const graph::CsrView& sets, std::int64_t row, std::int64_t item) {
  if (sets.num_rows == 0) return false;
  for (const graph::NodeId listed : sets.row(row)) {
    if (listed == item) return true;
  }
  return false;
}

TopkResult topk(const Dense& all_scores, const graph::CsrView& excluded, std::int64_t k) {
  TopkResult result{Dense(all_scores.rows, k, -1.0),
                    Dense(all_scores.rows, k, -std::numeric_limits<double>::infinity())};
  for (std::int64_t b = 0; b < all_scores.rows; ++b) {
    std::vector<std::int64_t> left;
    for (std::int64_t i = 0; i < all_scores.cols; ++i) {
      const bool scored = all_scores(b, i) > -std::numeric_limits<double>::infinity();
      if (scored && !contains(excluded, b, i)) left.push_back(i);
    }
    std::stable_sort(left.begin(), left.end(), [&](std::int64_t i, std::int64_t j) {
      return all_scores(b, i) > all_scores(b, j);
    });
    for (std::int64_t place = 0; place < std::min(k, static_cast<std::int64_t>(left.size()));
         ++place) {
      const std::int64_t item = left[static_cast<std::size_t>(place)];
      result.ids(b, place) = static_cast<double>(item);
      result.scores(b, place) = all_scores(b, item);
    }
  }
  return result;
}

RankCounts rank_counts(const Dense& all_scores, const Dense& margin, const graph::CsrView& excluded,
                       const graph::CsrView& targets) {
  RankCounts result{Dense(1, targets.num_entries()), Dense(1, targets.num_entries()),
                    Dense(1, targets.num_entries())};
  std::int64_t entry = 0;
  for (std::int64_t b = 0; b < targets.num_rows; ++b) {
    for (const graph::NodeId target : targets.row(b)) {
      for (std::int64_t i = 0; i < all_scores.cols; ++i) {
        if (contains(excluded, b, i) || contains(targets, b, i)) continue;
        if (std::isnan(all_scores(b, target))) {
          result.least(0, entry) += 1.0;
          result.most(0, entry) += 1.0;
          continue;
        }
        const double lead = all_scores(b, i) - all_scores(b, target);
        const double doubt = margin(b, i) + margin(b, target);
        result.least(0, entry) += lead > doubt ? 1.0 : 0.0;
        result.most(0, entry) += lead > -doubt ? 1.0 : 0.0;
        result.equal(0, entry) += lead == 0.0 ? 1.0 : 0.0;
      }
      ++entry;
    }
  }
  return result;
}

}  // namespace penchant::oracle
