// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/isotonic_map.h"

#include <algorithm>
#include <cmath>

namespace penchant::pipeline {

namespace {

/// True ones of a bin: a share of them is known to within a tenth.
constexpr std::int64_t kFewestOfBin = 100;
constexpr std::int64_t kMostBins = 40;
constexpr double kLeast = 1e-7;

double log_odds(double p) {
  const double inside = std::clamp(p, kLeast, 1.0 - kLeast);
  return std::log(inside / (1.0 - inside));
}

struct Bin {
  double sum = 0.0;  ///< of probabilities
  double num_true = 0.0, size = 0.0;

  void add(const Bin& other) {
    sum += other.sum;
    num_true += other.num_true;
    size += other.size;
  }
  double share() const { return num_true / size; }
};

/// Of pairs by ascending probability, each with `fewest` true ones or more.
std::vector<Bin> bins_of(const std::vector<ToldProbability>& pairs, std::int64_t fewest) {
  std::vector<Bin> bins;
  Bin open;
  for (const ToldProbability& pair : pairs) {
    open.add({static_cast<double>(pair.probability), pair.is_true ? 1.0 : 0.0, 1.0});
    if (open.num_true < static_cast<double>(fewest)) continue;
    bins.push_back(open);
    open = {};
  }
  if (open.size > 0.0 && !bins.empty()) bins.back().add(open);
  return bins;
}

}  // namespace

IsotonicMap::IsotonicMap(std::vector<ToldProbability> pairs) {
  const std::int64_t num_true = std::count_if(
      pairs.begin(), pairs.end(), [](const ToldProbability& pair) { return pair.is_true; });
  if (num_true < 2 * kFewestOfBin) return;
  std::sort(pairs.begin(), pairs.end(), [](const ToldProbability& a, const ToldProbability& b) {
    return std::pair(a.probability, a.is_true) < std::pair(b.probability, b.is_true);
  });
  std::vector<Bin> pooled;
  for (const Bin& bin : bins_of(pairs, std::max(kFewestOfBin, num_true / kMostBins))) {
    pooled.push_back(bin);
    while (pooled.size() > 1 && pooled.back().share() <= pooled[pooled.size() - 2].share()) {
      const Bin last = pooled.back();
      pooled.pop_back();
      pooled.back().add(last);
    }
  }
  for (const Bin& bin : pooled) {
    from_.push_back(log_odds(bin.sum / bin.size));
    to_.push_back(log_odds(bin.share()));
  }
}

float IsotonicMap::operator()(float probability) const {
  if (from_.empty()) return probability;
  const double x = log_odds(static_cast<double>(probability));
  const auto above = std::upper_bound(from_.begin(), from_.end(), x);
  double y = 0.0;
  if (above == from_.begin()) {
    y = x + to_.front() - from_.front();
  } else if (above == from_.end()) {
    y = x + to_.back() - from_.back();
  } else {
    const auto high = static_cast<std::size_t>(above - from_.begin());
    const double part = (x - from_[high - 1]) / (from_[high] - from_[high - 1]);
    y = to_[high - 1] + part * (to_[high] - to_[high - 1]);
  }
  return static_cast<float>(1.0 / (1.0 + std::exp(-y)));
}

}  // namespace penchant::pipeline
