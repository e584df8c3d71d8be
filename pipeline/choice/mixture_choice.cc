// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/mixture_choice.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "pipeline/choice/filter_blend.h"

namespace penchant::pipeline {

using kernels::Backend;

namespace {

/// The grid: shares of the filter's weight that brings its scores to the vectors' size, and of the
/// weight of popularity that a probability has.
constexpr double kFilterShares[] = {0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0};
constexpr double kPopularityShares[] = {0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0};
constexpr std::size_t kNumFilters = std::size(kFilterShares);
constexpr std::size_t kNumPopularities = std::size(kPopularityShares);
/// Where climbing begins: a quarter of each.
constexpr std::size_t kFirstFilter = 3;
constexpr std::size_t kFirstPopularity = 2;

class MixtureSearch {
 public:
  MixtureSearch(const VectorViews& vectors, const graph::UserItemGraph& graph,
                const std::shared_ptr<ScoreTable>& filter, double popularity_unit,
                const Judge& judge, Backend& backend, const MixtureTried& on_tried)
      : vectors_(vectors),
        graph_(graph),
        filter_(filter),
        popularity_unit_(popularity_unit),
        judge_(judge),
        backend_(backend),
        on_tried_(on_tried) {
    for (auto& row : known_) std::fill(std::begin(row), std::end(row), -1.0);
  }

  MixtureChoice run(double tolerance) {
    rank(*filter_, {false, 0.0, 1.0});
    MixedScorer alone = mixed({true, 0.0, 0.0});
    const double filter_size = score_size(*filter_, judge_.task(), backend_);
    if (filter_size > 0.0) filter_unit_ = score_size(alone, judge_.task(), backend_) / filter_size;
    climb();
    lean_to_the_popular(tolerance);
    const std::size_t chosen = choose(tried_, tolerance);
    return {mixtures_[chosen], tried_[chosen].value, tried_.front().value,
            static_cast<std::int64_t>(tried_.size())};
  }

 private:
  MixedScorer mixed(const Mixture& mixture) const {
    return {vectors_.users, vectors_.items, graph_, mixture, filter_, backend_};
  }

  double rank(models::Scorer& scorer, const Mixture& mixture) {
    const std::map<std::string, double> metrics = judge_.metrics(scorer);
    mixtures_.push_back(mixture);
    tried_.push_back(judgement(metrics, judge_.metric()));
    on_tried_(static_cast<std::int64_t>(tried_.size()), mixture, metrics);
    return tried_.back().value;
  }

  double value_at(std::size_t i, std::size_t j) {
    if (known_[i][j] >= 0.0) return known_[i][j];
    const Mixture mixture{true, kPopularityShares[j] * popularity_unit_,
                          kFilterShares[i] * filter_unit_};
    MixedScorer scorer = mixed(mixture);
    return known_[i][j] = rank(scorer, mixture);
  }

  /// To the best of the neighbours, again and again.
  void climb() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& [di, dj] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
        const std::size_t next_i = i_ + static_cast<std::size_t>(di);
        const std::size_t next_j = j_ + static_cast<std::size_t>(dj);
        if (next_i >= kNumFilters || next_j >= kNumPopularities) continue;
        if (value_at(next_i, next_j) <= value_at(i_, j_)) continue;
        i_ = next_i;
        j_ = next_j;
        moved = true;
      }
    }
  }

  /// Tries more popularity and more of the filter, which knows of popularity too, as long as the
  /// value stays nearly the best.
  void lean_to_the_popular(double tolerance) {
    double best = 0.0;
    for (const Judgement& one : tried_) best = std::max(best, one.value);
    const double enough = (1.0 - tolerance) * best;
    while (j_ + 1 < kNumPopularities && value_at(i_, j_ + 1) >= enough) ++j_;
    while (i_ + 1 < kNumFilters && value_at(i_ + 1, j_) >= enough) ++i_;
  }

  const VectorViews& vectors_;
  const graph::UserItemGraph& graph_;
  const std::shared_ptr<ScoreTable>& filter_;
  double popularity_unit_;
  double filter_unit_ = 0.0;
  const Judge& judge_;
  Backend& backend_;
  const MixtureTried& on_tried_;
  std::vector<Mixture> mixtures_;
  std::vector<Judgement> tried_;
  double known_[kNumFilters][kNumPopularities];  ///< values of the grid; below 0: not tried
  std::size_t i_ = kFirstFilter, j_ = kFirstPopularity;
};

}  // namespace

MixtureChoice choose_mixture(const VectorViews& vectors, const graph::UserItemGraph& graph,
                             const std::shared_ptr<ScoreTable>& filter, double popularity_unit,
                             const Judge& judge, double tolerance, Backend& backend,
                             const MixtureTried& on_tried) {
  return MixtureSearch(vectors, graph, filter, popularity_unit, judge, backend, on_tried)
      .run(tolerance);
}

std::string describe(const Mixture& mixture) {
  if (!mixture.vectors) return "filter alone";
  if (mixture.filter_weight == 0.0)
    return fmt::format("vectors, popularity {:.4g}", mixture.popularity_weight);
  return fmt::format("vectors, popularity {:.4g}, filter {:.4g}", mixture.popularity_weight,
                     mixture.filter_weight);
}

}  // namespace penchant::pipeline
