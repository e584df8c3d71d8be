// SPDX-License-Identifier: Apache-2.0
#include "models/link_scorer.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "graph/degrees.h"
#include "graph/error.h"
#include "models/sparse_scorer.h"

namespace penchant::models {

using graph::at;
using graph::NodeId;

LinkScorer::LinkScorer(graph::Csr links, graph::Csr user_items)
    : links_(std::move(links)),
      user_items_(std::move(user_items)),
      scale_(graph::inverse_roots(graph::row_sums(user_items_.view()))) {
  if (links_.num_rows != user_items_.num_rows || links_.num_cols != user_items_.num_rows) {
    throw InputError(fmt::format("links of users are [{} x {}], expected [{} x {}]",
                                 links_.num_rows, links_.num_cols, user_items_.num_rows,
                                 user_items_.num_rows));
  }
}

graph::Csr LinkScorer::rows_of(kernels::IdView users) const {
  const graph::CsrView links = links_.view();
  const graph::CsrView had = user_items_.view();
  graph::Csr rows{users.size, had.num_cols, {0}, {}, {}};
  std::vector<float> sums(at(had.num_cols), 0.0F);
  std::vector<NodeId> touched;
  for (std::int64_t row = 0; row < users.size; ++row) {
    const NodeId user = users.data[row];
    touched.clear();
    for (graph::EdgeOffset e = links.offsets[at(user)]; e < links.offsets[at(user) + 1]; ++e) {
      const NodeId friend_id = links.columns[at(e)];
      const float share = links.value(e) * scale_[at(friend_id)];
      for (graph::EdgeOffset k = had.offsets[at(friend_id)]; k < had.offsets[at(friend_id) + 1];
           ++k) {
        float& sum = sums[at(had.columns[at(k)])];
        if (sum == 0.0F) touched.push_back(had.columns[at(k)]);
        sum += share * had.value(k);
      }
    }
    std::sort(touched.begin(), touched.end());
    for (const NodeId item : touched) {
      rows.columns.push_back(item);
      rows.values.push_back(std::exchange(sums[at(item)], 0.0F));
    }
    rows.offsets.push_back(static_cast<graph::EdgeOffset>(rows.columns.size()));
  }
  return rows;
}

void LinkScorer::score(kernels::IdView users, kernels::Backend& backend,
                       kernels::FloatView scores) {
  const graph::Csr rows = rows_of(users);
  write_columns(rows.view(), backend, scores);
}

void LinkScorer::score_people(const People& people, kernels::Backend& backend,
                              kernels::FloatView scores) {
  const std::int64_t width = people.rows.num_rows;
  if (scores.rows != user_items_.num_cols || scores.cols != width) {
    throw InputError(fmt::format("link scores: the table is [{} x {}], expected [{} x {}]",
                                 scores.rows, scores.cols, user_items_.num_cols, width));
  }
  backend.fill(scores, 0.0F);
}

}  // namespace penchant::models
