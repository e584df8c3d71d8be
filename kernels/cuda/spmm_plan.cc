// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/spmm_plan.h"

#include <algorithm>

#include "graph/ids.h"

namespace penchant::kernels::cuda {

using graph::checked_cast;

SpmmPlan make_spmm_plan(const graph::CsrView& matrix, std::int64_t segment) {
  SpmmPlan plan;
  std::vector<SpmmTask> medium;
  std::vector<SpmmTask> shorter;
  const auto by_length = [](const SpmmTask& a, const SpmmTask& b) { return a.length > b.length; };
  std::ptrdiff_t window = 0;  // first short row of the running window
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    const SpmmTask task{matrix.offsets[static_cast<std::size_t>(row)],
                        checked_cast<std::int32_t>(row),
                        checked_cast<std::int32_t>(matrix.row_size(row))};
    if (task.length < SpmmPlan::kMediumRow) {
      shorter.push_back(task);
    } else if (task.length <= segment) {
      medium.push_back(task);
    } else {
      SpmmLongRow long_row{plan.num_segments, task.target, 0};
      for (std::int64_t done = 0; done < task.length; done += segment) {
        const std::int64_t length = std::min(segment, task.length - done);
        plan.tasks.push_back({task.begin + done, checked_cast<std::int32_t>(plan.num_segments),
                              checked_cast<std::int32_t>(length)});
        ++plan.num_segments;
        ++long_row.num_segments;
      }
      plan.long_rows.push_back(long_row);
    }
    if ((row + 1) % SpmmPlan::kWindowRows == 0 || row + 1 == matrix.num_rows) {
      std::stable_sort(shorter.begin() + window, shorter.end(), by_length);
      window = static_cast<std::ptrdiff_t>(shorter.size());
    }
  }
  plan.num_medium = static_cast<std::int64_t>(medium.size());
  plan.tasks.insert(plan.tasks.end(), medium.begin(), medium.end());
  plan.tasks.insert(plan.tasks.end(), shorter.begin(), shorter.end());
  return plan;
}

}  // namespace penchant::kernels::cuda
