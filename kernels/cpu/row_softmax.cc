// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/error.h"
#include "graph/ids.h"
#include "kernels/cpu/rows.h"

namespace penchant::kernels {

void exponentiate_rows(FloatView scores, const graph::CsrView& excluded, std::span<float> maxima,
                       std::span<float> sums) {
  using graph::at;
  PENCHANT_ASSERT(scores.device == Device::cpu);
  PENCHANT_ASSERT(maxima.size() == at(scores.rows) && sums.size() == at(scores.rows));
  PENCHANT_ASSERT(excluded.num_rows == 0 || excluded.num_rows == scores.rows);
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < scores.rows; ++b) {
    float* const row = scores.row(b);
    if (excluded.num_rows > 0) {
      for (const graph::NodeId item : excluded.row(b)) row[item] = kNothing;
    }
    float maximum_and_sum[] = {kNothing, 0.0F};
    if (std::any_of(row, row + scores.cols, [](float score) { return score != kNothing; }))
      exponentiate_row(row, scores.cols, 1.0F, nullptr, maximum_and_sum);
    else
      std::fill_n(row, scores.cols, 0.0F);
    maxima[at(b)] = maximum_and_sum[0];
    sums[at(b)] = maximum_and_sum[1];
  }
}

}  // namespace penchant::kernels
