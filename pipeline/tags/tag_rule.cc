// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tag_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/parallel.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::size_t kBins = 15;

/// Of a value: how often it is told and true, told, true.
struct ValueCounts {
  std::int64_t both = 0, told = 0, held = 0;
};

double f1(const ValueCounts& counts) {
  const std::int64_t sum = counts.told + counts.held;
  return sum == 0 ? 0.0 : 2.0 * static_cast<double>(counts.both) / static_cast<double>(sum);
}

/// Expected calibration error (Naeini, Cooper and Hauskrecht 2015) of (probability, right) pairs,
/// bins of equal mass.
double calibration_error(std::vector<std::pair<float, bool>> pairs) {
  std::sort(pairs.begin(), pairs.end());
  double error = 0.0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const std::size_t first = pairs.size() * bin / kBins, last = pairs.size() * (bin + 1) / kBins;
    double off = 0.0;
    for (std::size_t i = first; i < last; ++i)
      off += pairs[i].first - (pairs[i].second ? 1.0 : 0.0);
    error += std::abs(off);
  }
  return pairs.empty() ? 0.0 : error / static_cast<double>(pairs.size());
}

/// Pairs of what is judged by calibration_error.
void add_pairs(TagLink link, const JudgedItem& item, const std::vector<NodeId>& told,
               std::vector<std::pair<float, bool>>& pairs) {
  const auto add = [&](NodeId value) {
    pairs.emplace_back(item.probabilities[graph::at(value)],
                       std::binary_search(item.labels.begin(), item.labels.end(), value));
  };
  if (link == TagLink::softmax) return add(told.front());
  std::vector<NodeId> order(item.probabilities.size());
  for (std::size_t c = 0; c < order.size(); ++c) order[c] = static_cast<NodeId>(c);
  const std::size_t count = std::min(kCalibratedValues, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](NodeId a, NodeId b) {
                      const float pa = item.probabilities[graph::at(a)];
                      const float pb = item.probabilities[graph::at(b)];
                      return pa > pb || (pa == pb && a < b);
                    });
  for (std::size_t c = 0; c < count; ++c) add(order[c]);
}

std::vector<TagRule> candidate_rules(TagLink link) {
  std::vector<TagRule> rules;
  for (int tenth = 0; tenth <= 10; ++tenth) {
    if (link == TagLink::softmax) {
      rules.push_back({tenth / 10.0, 0.0});
      continue;
    }
    if (tenth > 5) break;
    for (const double least : {0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5})
      rules.push_back({tenth / 10.0, least});
  }
  return rules;
}

}  // namespace

std::vector<NodeId> told_values(TagLink link, std::span<const float> probabilities,
                                std::span<const float> prior, const TagRule& rule) {
  std::vector<NodeId> told;
  if (link == TagLink::softmax) {
    std::size_t best = 0;
    double best_score = -INFINITY;
    for (std::size_t c = 0; c < probabilities.size(); ++c) {
      const double score = std::log(std::max(static_cast<double>(probabilities[c]), 1e-30)) -
                           rule.lambda * std::log(static_cast<double>(prior[c]));
      if (score > best_score) {
        best = c;
        best_score = score;
      }
    }
    return {static_cast<NodeId>(best)};
  }
  const float largest = *std::max_element(prior.begin(), prior.end());
  for (std::size_t c = 0; c < probabilities.size(); ++c) {
    const double least = rule.least * std::pow(prior[c] / largest, rule.lambda);
    if (probabilities[c] >= least) told.push_back(static_cast<NodeId>(c));
  }
  return told;
}

TagQuality judge_tags(TagLink link, std::span<const JudgedItem> items, std::span<const float> prior,
                      const TagRule& rule) {
  TagQuality quality;
  std::vector<ValueCounts> counts(prior.size());
  std::vector<std::pair<float, bool>> pairs;
  for (const JudgedItem& item : items) {
    const std::vector<NodeId> told = told_values(link, item.probabilities, prior, rule);
    std::vector<NodeId> both;
    std::set_intersection(told.begin(), told.end(), item.labels.begin(), item.labels.end(),
                          std::back_inserter(both));
    for (const NodeId value : both) ++counts[graph::at(value)].both;
    for (const NodeId value : told) ++counts[graph::at(value)].told;
    for (const NodeId value : item.labels) ++counts[graph::at(value)].held;
    const std::size_t either = told.size() + item.labels.size() - both.size();
    quality.accuracy += static_cast<double>(both.size()) / static_cast<double>(either);
    add_pairs(link, item, told, pairs);
  }
  std::int64_t values = 0;
  for (const ValueCounts& value : counts) {
    const bool counted =
        link == TagLink::softmax ? value.held + value.told > 0 : value.held >= kEnoughCarriers;
    if (!counted) continue;
    ++values;
    quality.macro_f1 += f1(value);
  }
  quality.items = static_cast<std::int64_t>(items.size());
  quality.accuracy /= static_cast<double>(std::max<std::size_t>(items.size(), 1));
  quality.macro_f1 /= static_cast<double>(std::max<std::int64_t>(values, 1));
  quality.calibration_error = calibration_error(std::move(pairs));
  return quality;
}

TagRule choose_rule(TagLink link, std::span<const JudgedItem> items, std::span<const float> prior) {
  const std::vector<TagRule> rules = candidate_rules(link);
  std::vector<double> sums(rules.size());
  graph::parallel_for(static_cast<std::int64_t>(rules.size()), 1, [&](const graph::Share& share) {
    for (const std::int64_t i : share) {
      const TagQuality quality = judge_tags(link, items, prior, rules[graph::at(i)]);
      sums[graph::at(i)] = quality.accuracy + quality.macro_f1;
    }
  });
  return rules[graph::at(std::max_element(sums.begin(), sums.end()) - sums.begin())];
}

}  // namespace penchant::pipeline
