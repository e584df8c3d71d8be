// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/calibration.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <nlohmann/json.hpp>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

/// Pairs of one bin before pooling: the standard error of its share of positives is at most .05.
constexpr std::size_t kPairsPerBin = 100;
constexpr std::size_t kSmallestSample = 5 * kPairsPerBin;

/// Neighbouring pairs by logit that are taken to be equally probable.
struct Bin {
  double pairs = 0.0;
  double positives = 0.0;
  double logit_sum = 0.0;

  double share() const { return (positives + 0.5) / (pairs + 1.0); }  // never 0 or 1
  void add(const Bin& other) {
    pairs += other.pairs;
    positives += other.positives;
    logit_sum += other.logit_sum;
  }
};

}  // namespace

Calibration fit_calibration(std::span<const float> logits, std::span<const std::uint8_t> labels) {
  PENCHANT_ASSERT(logits.size() == labels.size());
  const auto positives = std::count(labels.begin(), labels.end(), std::uint8_t{1});
  if (logits.size() < kSmallestSample || positives == 0 ||
      positives == static_cast<std::ptrdiff_t>(labels.size())) {
    return {};
  }
  if (!std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }))
    throw InputError("calibration: a logit is not a finite number");
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] < logits[b]; });
  std::vector<Bin> pooled;
  for (std::size_t first = 0; first < order.size(); first += kPairsPerBin) {
    Bin bin;
    for (std::size_t k = first; k < std::min(first + kPairsPerBin, order.size()); ++k)
      bin.add({1.0, static_cast<double>(labels[order[k]]), static_cast<double>(logits[order[k]])});
    while (!pooled.empty() && pooled.back().share() >= bin.share()) {
      Bin merged = pooled.back();
      merged.add(bin);
      bin = merged;
      pooled.pop_back();
    }
    pooled.push_back(bin);
  }
  Calibration calibration;
  for (const Bin& bin : pooled) {
    const auto logit = static_cast<float>(bin.logit_sum / bin.pairs);
    if (!calibration.logits.empty() && logit <= calibration.logits.back()) continue;
    calibration.logits.push_back(logit);
    calibration.log_odds.push_back(static_cast<float>(std::log(bin.share() / (1.0 - bin.share()))));
  }
  if (calibration.logits.size() < 2) return {};
  return calibration;
}

float calibrated_probability(const Calibration& calibration, float logit) {
  const std::vector<float>& x = calibration.logits;
  const std::vector<float>& y = calibration.log_odds;
  float odds = logit;
  if (!x.empty()) {
    const float slope = (y.back() - y.front()) / (x.back() - x.front());
    const auto above = std::upper_bound(x.begin(), x.end(), logit);
    if (above == x.begin()) {
      odds = y.front() + slope * (logit - x.front());
    } else if (above == x.end()) {
      odds = y.back() + slope * (logit - x.back());
    } else {
      const auto k = static_cast<std::size_t>(above - x.begin());
      odds = y[k - 1] + (y[k] - y[k - 1]) * (logit - x[k - 1]) / (x[k] - x[k - 1]);
    }
  }
  return 1.0F / (1.0F + std::exp(-odds));
}

nlohmann::json calibration_to_json(const Calibration& calibration) {
  return {{"logits", calibration.logits}, {"log_odds", calibration.log_odds}};
}

Calibration calibration_from_json(const nlohmann::json& stored) {
  Calibration calibration = {stored.at("logits").get<std::vector<float>>(),
                             stored.at("log_odds").get<std::vector<float>>()};
  const std::vector<float>& logits = calibration.logits;
  const auto finite = [](float value) { return std::isfinite(value); };
  const bool holds =
      logits.size() == calibration.log_odds.size() && logits.size() != 1 &&
      std::all_of(logits.begin(), logits.end(), finite) &&
      std::all_of(calibration.log_odds.begin(), calibration.log_odds.end(), finite) &&
      std::adjacent_find(logits.begin(), logits.end(), std::greater_equal<>()) == logits.end();
  if (!holds) throw InputError("damaged: calibration is no rising function");
  return calibration;
}

}  // namespace penchant::pipeline
