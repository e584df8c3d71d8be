// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/metrics.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "graph/analysis.h"
#include "graph/error.h"

namespace penchant::pipeline {

using graph::NodeId;

MetricSums::MetricSums(std::vector<std::int64_t> cutoffs, std::span<const std::int64_t> item_counts)
    : item_counts_(item_counts) {
  for (const std::int64_t cutoff : cutoffs) {
    if (cutoff < 1)
      throw InputError(fmt::format("evaluate: cut-off {}, expected at least 1", cutoff));
    AtCutoff at;
    at.cutoff = cutoff;
    at.recommended.assign(item_counts.size(), 0);
    cutoffs_.push_back(std::move(at));
  }
}

void MetricSums::add(std::span<const NodeId> ranked, std::span<const NodeId> targets) {
  PENCHANT_ASSERT(!targets.empty());
  ++num_users_;
  const auto num_targets = static_cast<double>(targets.size());
  for (AtCutoff& at : cutoffs_) {
    PENCHANT_ASSERT(static_cast<std::int64_t>(ranked.size()) >= at.cutoff);
    double hits = 0, gain = 0, precision_sum = 0, first_hit = 0, popularity = 0, shown = 0;
    for (std::int64_t place = 0; place < at.cutoff; ++place) {
      const NodeId item = ranked[static_cast<std::size_t>(place)];
      if (item == graph::kNoNode) break;
      ++shown;
      ++at.recommended[static_cast<std::size_t>(item)];
      popularity += static_cast<double>(item_counts_[static_cast<std::size_t>(item)]);
      if (!std::binary_search(targets.begin(), targets.end(), item)) continue;
      const auto rank = static_cast<double>(place + 1);
      hits += 1.0;
      gain += 1.0 / std::log2(rank + 1.0);
      precision_sum += hits / rank;
      if (first_hit == 0) first_hit = 1.0 / rank;
    }
    const auto ideal_hits = std::min(at.cutoff, static_cast<std::int64_t>(targets.size()));
    double ideal_gain = 0;
    for (std::int64_t place = 0; place < ideal_hits; ++place)
      ideal_gain += 1.0 / std::log2(static_cast<double>(place) + 2.0);
    at.recall += hits / num_targets;
    at.precision += hits / static_cast<double>(at.cutoff);
    at.ndcg += gain / ideal_gain;
    at.hit_rate += hits > 0 ? 1.0 : 0.0;
    at.mrr += first_hit;
    at.map += precision_sum / static_cast<double>(ideal_hits);
    at.popularity += shown > 0 ? popularity / shown : 0.0;
  }
}

void MetricSums::add_ranks(std::span<const double> above, std::int64_t others) {
  ++num_ranked_users_;
  double auc = 0;
  double rank = 0;
  double first = above.front();
  for (const double higher : above) {
    auc += others > 0 ? 1.0 - higher / static_cast<double>(others) : 0.5;
    rank += 1.0 + higher;
    first = std::min(first, higher);
  }
  mrr_ += 1.0 / (1.0 + first);
  auc_ += auc / static_cast<double>(above.size());
  mean_rank_ += rank / static_cast<double>(above.size());
}

std::map<std::string, double> MetricSums::averages() const {
  std::map<std::string, double> metrics;
  const double users = static_cast<double>(std::max<std::int64_t>(1, num_users_));
  for (const AtCutoff& at : cutoffs_) {
    const auto put = [&](const char* name, double value) {
      metrics[fmt::format("{}@{}", name, at.cutoff)] = value;
    };
    put("recall", at.recall / users);
    put("precision", at.precision / users);
    put("ndcg", at.ndcg / users);
    put("hit_rate", at.hit_rate / users);
    put("mrr", at.mrr / users);
    put("map", at.map / users);
    put("popularity", at.popularity / users);
    const auto distinct = std::count_if(at.recommended.begin(), at.recommended.end(),
                                        [](std::int64_t count) { return count > 0; });
    put("coverage", at.recommended.empty() ? 0.0
                                           : static_cast<double>(distinct) /
                                                 static_cast<double>(at.recommended.size()));
    put("gini", graph::gini(at.recommended));
  }
  if (num_ranked_users_ > 0) {
    metrics["auc"] = auc_ / static_cast<double>(num_ranked_users_);
    metrics["mrr"] = mrr_ / static_cast<double>(num_ranked_users_);
    metrics["mean_rank"] = mean_rank_ / static_cast<double>(num_ranked_users_);
  }
  return metrics;
}

}  // namespace penchant::pipeline
