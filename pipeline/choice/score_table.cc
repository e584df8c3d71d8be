// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/score_table.h"

#include <algorithm>

#include "graph/error.h"

namespace penchant::pipeline {

using kernels::Backend;

ScoreTable::ScoreTable(models::Scorer& source, const RankingTask& task, Backend& backend)
    : users_(task.users),
      table_(backend.matrix<float>(task.targets.num_cols,
                                   static_cast<std::int64_t>(task.users.size()))) {
  constexpr std::int64_t kTile = 512;
  for (std::int64_t first = 0; first < table_.cols(); first += kTile) {
    const std::int64_t count = std::min(kTile, table_.cols() - first);
    source.score({users_.data() + first, count, kernels::Device::cpu}, backend,
                 table_.view().cols_of(first, count));
  }
}

void ScoreTable::score(kernels::IdView users, Backend& backend, kernels::FloatView scores) {
  if (users.size == 0) return;
  const auto first = std::lower_bound(users_.begin(), users_.end(), users[0]) - users_.begin();
  PENCHANT_ASSERT(first + users.size <= table_.cols() &&
                  std::equal(users.data, users.data + users.size, users_.begin() + first));
  backend.copy(kernels::ConstFloatView(table_.view().cols_of(first, users.size)), scores);
}

}  // namespace penchant::pipeline
