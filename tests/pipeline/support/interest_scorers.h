// SPDX-License-Identifier: Apache-2.0
// Stand-ins for a trained interest model.
#pragma once

#include <functional>
#include <utility>

#include "pipeline/model/interest.h"

namespace penchant::testing {

/// Answers pairs by a function of the history and the item. A user's vector [D = 2] is (last item,
/// length of the history), (-1, 0) for an empty one.
class HistoryScorer final : public pipeline::InterestScorer {
 public:
  using Answer = std::function<float(std::span<const graph::NodeId>, graph::NodeId)>;
  explicit HistoryScorer(Answer answer) : answer_(std::move(answer)) {}
  kernels::FloatMatrix user_vectors(const pipeline::Histories& histories,
                                    kernels::Backend& backend) override {
    kernels::FloatMatrix vectors = backend.matrix<float>(histories.size(), 2);
    for (std::int64_t row = 0; row < histories.size(); ++row) {
      const auto items = histories.row(row);
      vectors.view()(row, 0) = items.empty() ? -1.0F : static_cast<float>(items.back());
      vectors.view()(row, 1) = static_cast<float>(items.size());
    }
    return vectors;
  }
  pipeline::PairScore pair_score() const override { return pipeline::PairScore::probability; }
  std::vector<float> pair_scores(const pipeline::Histories& histories,
                                 std::span<const graph::NodeId> history_rows,
                                 std::span<const graph::NodeId> items, kernels::Backend&) override {
    std::vector<float> scores;
    for (std::size_t p = 0; p < items.size(); ++p)
      scores.push_back(answer_(histories.row(history_rows[p]), items[p]));
    return scores;
  }

 private:
  Answer answer_;
};

}  // namespace penchant::testing
