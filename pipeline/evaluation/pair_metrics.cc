// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/pair_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

/// Probabilities are kept this far from 0 and 1 in logarithms: the float spacing at 1.
constexpr double kLogMargin = std::numeric_limits<float>::epsilon();

double ratio(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

/// AUC over the pairs `order`, which it sorts by score.
double auc_of(std::span<std::int64_t> order, std::span<const std::uint8_t> labels,
              std::span<const float> scores) {
  const auto score = [&](std::int64_t pair) { return scores[static_cast<std::size_t>(pair)]; };
  for (const std::int64_t pair : order) {  // NaN has no place among the others
    if (std::isnan(score(pair)))
      throw InputError(fmt::format("pair metrics: score {} is NaN, expected a number", pair));
  }
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return score(a) < score(b); });
  double negatives_below = 0.0;
  double positives = 0.0;
  double wins = 0.0;
  for (std::size_t first = 0; first < order.size();) {
    double tied[2] = {0.0, 0.0};
    std::size_t last = first;
    for (; last < order.size() && score(order[last]) == score(order[first]); ++last)
      tied[labels[static_cast<std::size_t>(order[last])]] += 1.0;
    wins += tied[1] * (negatives_below + 0.5 * tied[0]);
    positives += tied[1];
    negatives_below += tied[0];
    first = last;
  }
  return positives > 0.0 && negatives_below > 0.0 ? wins / (positives * negatives_below) : 0.5;
}

std::vector<std::int64_t> all_pairs(std::size_t count) {
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

std::vector<ReliabilityBin> reliability(std::span<const std::uint8_t> labels,
                                        std::span<const float> probabilities) {
  std::vector<ReliabilityBin> bins(kReliabilityBins);
  for (std::size_t p = 0; p < labels.size(); ++p) {
    const auto probability = static_cast<double>(probabilities[p]);
    const auto place = std::min(kReliabilityBins - 1,
                                static_cast<std::int64_t>(probability * double{kReliabilityBins}));
    ReliabilityBin& bin = bins[static_cast<std::size_t>(place)];
    ++bin.num_pairs;
    bin.mean_probability += probability;
    bin.share_positive += labels[p];
  }
  for (std::size_t b = 0; b < bins.size(); ++b) {
    bins[b].lower = static_cast<double>(b) / double{kReliabilityBins};
    bins[b].upper = static_cast<double>(b + 1) / double{kReliabilityBins};
    bins[b].mean_probability =
        ratio(bins[b].mean_probability, static_cast<double>(bins[b].num_pairs));
    bins[b].share_positive = ratio(bins[b].share_positive, static_cast<double>(bins[b].num_pairs));
  }
  return bins;
}

}  // namespace

double pair_auc(std::span<const std::uint8_t> labels, std::span<const float> scores) {
  PENCHANT_ASSERT(labels.size() == scores.size());
  std::vector<std::int64_t> order = all_pairs(labels.size());
  return auc_of(order, labels, scores);
}

double user_auc(const LabeledPairs& pairs, std::span<const float> scores) {
  PENCHANT_ASSERT(pairs.labels.size() == scores.size() && pairs.users.size() == scores.size());
  const auto user = [&](std::int64_t pair) { return pairs.users[static_cast<std::size_t>(pair)]; };
  std::vector<std::int64_t> order = all_pairs(scores.size());
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return user(a) < user(b); });
  double sum = 0.0;
  double num_users = 0.0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    std::int64_t positives = 0;
    for (; last < order.size() && user(order[last]) == user(order[first]); ++last)
      positives += pairs.labels[static_cast<std::size_t>(order[last])];
    if (positives > 0 && positives < static_cast<std::int64_t>(last - first)) {
      sum += auc_of(std::span(order).subspan(first, last - first), pairs.labels, scores);
      num_users += 1.0;
    }
    first = last;
  }
  return num_users > 0.0 ? sum / num_users : 0.5;
}

PairMetrics pair_metrics(const LabeledPairs& pairs, std::span<const float> probabilities,
                         double threshold) {
  PENCHANT_ASSERT(pairs.labels.size() == probabilities.size());
  double hits = 0.0, false_alarms = 0.0, misses = 0.0, log_loss = 0.0, error = 0.0;
  for (std::size_t p = 0; p < probabilities.size(); ++p) {
    const auto probability = static_cast<double>(probabilities[p]);
    if (!(probability >= 0.0 && probability <= 1.0)) {
      throw InputError(
          fmt::format("pair metrics: probability {} is {}, expected 0 to 1", p, probabilities[p]));
    }
    const bool positive = pairs.labels[p] != 0;
    const bool predicted = probability >= threshold;
    hits += predicted && positive ? 1.0 : 0.0;
    false_alarms += predicted && !positive ? 1.0 : 0.0;
    misses += !predicted && positive ? 1.0 : 0.0;
    log_loss -= std::log(
        std::clamp(positive ? probability : 1.0 - probability, kLogMargin, 1.0 - kLogMargin));
    error += positive ? 1.0 - probability : probability;
  }
  const auto count = static_cast<double>(probabilities.size());
  PairMetrics result;
  result.bins = reliability(pairs.labels, probabilities);
  double calibration = 0.0;
  for (const ReliabilityBin& bin : result.bins) {
    calibration +=
        static_cast<double>(bin.num_pairs) * std::abs(bin.mean_probability - bin.share_positive);
  }
  result.values = {{"accuracy", ratio(count - false_alarms - misses, count)},
                   {"precision", ratio(hits, hits + false_alarms)},
                   {"recall", ratio(hits, hits + misses)},
                   {"f1", ratio(2.0 * hits, 2.0 * hits + false_alarms + misses)},
                   {"auc", pair_auc(pairs.labels, probabilities)},
                   {"user_auc", user_auc(pairs, probabilities)},
                   {"log_loss", ratio(log_loss, count)},
                   {"mae", ratio(error, count)},
                   {"calibration_error", ratio(calibration, count)}};
  return result;
}

std::map<std::string, double> rating_metrics(std::span<const float> predicted,
                                             std::span<const float> actual) {
  PENCHANT_ASSERT(predicted.size() == actual.size());
  double squares = 0.0;
  double absolute = 0.0;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (!std::isfinite(predicted[i]))
      throw InputError(fmt::format("rating metrics: prediction {} is {}, expected a finite number",
                                   i, predicted[i]));
    const double error = static_cast<double>(predicted[i]) - static_cast<double>(actual[i]);
    squares += error * error;
    absolute += std::abs(error);
  }
  const auto count = static_cast<double>(predicted.size());
  return {{"rmse", std::sqrt(ratio(squares, count))}, {"mae", ratio(absolute, count)}};
}

}  // namespace penchant::pipeline
