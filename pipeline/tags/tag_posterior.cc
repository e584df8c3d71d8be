// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tag_posterior.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "graph/parallel.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Weight of neighbours below which they say little; the nearest neighbour has weight 1.
constexpr double kFew = 0.1;
/// Keeps the weights finite where all items are told right: a normal prior of this precision
/// on each, of the mean.
constexpr double kPrecision = 1e-6;
constexpr int kNewtonSteps = 30;
constexpr double kConverged = 1e-9;
constexpr double kLeast = 1e-12;

using Weights = TagPosterior::Weights;
constexpr std::size_t kMost = TagPosterior::kWeights;

/// Mean loss, its gradient and its second derivatives.
struct Curvature {
  double loss = 0.0;
  Weights gradient{};
  std::array<Weights, kMost> second{};

  void add(const Curvature& other) {
    loss += other.loss;
    for (std::size_t i = 0; i < kMost; ++i) {
      gradient[i] += other.gradient[i];
      for (std::size_t j = 0; j < kMost; ++j) second[i][j] += other.second[i][j];
    }
  }
};

/// Solves second x = gradient by Gauss elimination with pivots, for the first `size` of each.
Weights solve(std::array<Weights, kMost> matrix, Weights right, std::size_t size) {
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < size; ++i) {
      if (std::abs(matrix[i][k]) > std::abs(matrix[pivot][k])) pivot = i;
    }
    std::swap(matrix[k], matrix[pivot]);
    std::swap(right[k], right[pivot]);
    for (std::size_t i = k + 1; i < size; ++i) {
      const double factor = matrix[i][k] / matrix[k][k];
      for (std::size_t j = k; j < size; ++j) matrix[i][j] -= factor * matrix[k][j];
      right[i] -= factor * right[k];
    }
  }
  Weights x{};
  for (std::size_t k = size; k-- > 0;) {
    double sum = right[k];
    for (std::size_t j = k + 1; j < size; ++j) sum -= matrix[k][j] * x[j];
    x[k] = sum / matrix[k][k];
  }
  return x;
}

/// Adds one item's -log softmax(s)[label] and its derivatives: the gradient is the mean of phi under
/// p less phi of the label, the second derivatives are the covariance of phi under p.
void add_softmax(const std::vector<float>& phi, const std::vector<float>& p, NodeId label,
                 std::size_t size, Curvature& sum) {
  Weights mean{};
  std::array<Weights, kMost> product{};
  for (std::size_t c = 0; c < p.size(); ++c) {
    if (p[c] < 1e-9F) continue;
    const float* const row = phi.data() + c * kMost;
    for (std::size_t i = 0; i < size; ++i) {
      const double weighted = static_cast<double>(p[c]) * row[i];
      mean[i] += weighted;
      for (std::size_t j = 0; j <= i; ++j) product[i][j] += weighted * row[j];
    }
  }
  sum.loss -= std::log(std::max<double>(p[graph::at(label)], kLeast));
  const float* const own = phi.data() + graph::at(label) * kMost;
  for (std::size_t i = 0; i < size; ++i) {
    sum.gradient[i] += mean[i] - own[i];
    for (std::size_t j = 0; j <= i; ++j) {
      const double covariance = product[i][j] - mean[i] * mean[j];
      sum.second[i][j] += covariance;
      if (i != j) sum.second[j][i] += covariance;
    }
  }
}

/// The same of sum_c binary cross entropy.
void add_logistic(const std::vector<float>& phi, const std::vector<float>& p,
                  std::span<const NodeId> labels, std::size_t size, Curvature& sum) {
  for (std::size_t c = 0; c < p.size(); ++c) {
    const bool own = std::binary_search(labels.begin(), labels.end(), static_cast<NodeId>(c));
    const float* const row = phi.data() + c * kMost;
    const double residual = static_cast<double>(p[c]) - (own ? 1.0 : 0.0);
    const double variance = static_cast<double>(p[c]) * (1.0 - p[c]);
    sum.loss -= std::log(std::max<double>(own ? p[c] : 1.0F - p[c], kLeast));
    for (std::size_t i = 0; i < size; ++i) {
      sum.gradient[i] += residual * row[i];
      for (std::size_t j = 0; j < size; ++j) sum.second[i][j] += variance * row[i] * row[j];
    }
  }
}

}  // namespace

TagPosterior::TagPosterior(TagLink link, std::vector<float> prior)
    : link_(link), prior_(std::move(prior)) {
  for (const float share : prior_)
    log_prior_.push_back(static_cast<float>(std::log(std::max<double>(share, kLeast))));
  weights_[0] = 1.0;
}

std::vector<float> TagPosterior::columns(const TagEvidence& item) const {
  std::vector<float> phi(prior_.size() * kWeights);
  const auto put = [&](std::size_t c, std::size_t i, double value) {
    phi[c * kWeights + i] = static_cast<float>(value);
  };
  std::array<double, kKinds> totals{};
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const ValueWeights& near = item.near[kind];
    for (std::size_t v = 0; v < near.values.size(); ++v) {
      totals[kind] += near.weights[v];
      put(graph::at(near.values[v]), 2 + kind, std::log1p(near.weights[v] / kFew));
    }
  }
  for (std::size_t c = 0; c < prior_.size(); ++c) {
    put(c, 0, item.logits[c]);
    put(c, 1, log_prior_[c]);
    for (std::size_t kind = 0; kind < kKinds; ++kind)
      put(c, 2 + kKinds + kind, -std::log1p(totals[kind] / kFew));
    put(c, kWeights - 1, 1.0);
  }
  return phi;
}

std::vector<float> TagPosterior::scores(const std::vector<float>& phi,
                                        const Weights& weights) const {
  std::vector<float> s(prior_.size());
  for (std::size_t c = 0; c < s.size(); ++c) {
    double sum = 0.0;
    for (std::size_t i = 0; i < num_weights(); ++i) sum += weights[i] * phi[c * kWeights + i];
    s[c] = static_cast<float>(sum);
  }
  return s;
}

std::vector<float> TagPosterior::probabilities(const TagEvidence& item) const {
  std::vector<float> p = scores(columns(item), weights_);
  to_probabilities(link_, p);
  if (link_ == TagLink::logistic) std::transform(p.begin(), p.end(), p.begin(), map_);
  return p;
}

void TagPosterior::calibrate(std::vector<ToldProbability> told) {
  if (link_ == TagLink::logistic) map_ = IsotonicMap(std::move(told));
}

void TagPosterior::fit(std::span<const TagEvidence> items) {
  if (items.empty()) return;
  const std::size_t size = num_weights();
  const auto curvature_at = [&](const Weights& weights) {
    constexpr std::int64_t kPiece = 64;  // sums of pieces are added in order: the same bits always
    const auto count = static_cast<std::int64_t>(items.size());
    std::vector<Curvature> pieces(graph::at((count + kPiece - 1) / kPiece));
    graph::parallel_for(
        static_cast<std::int64_t>(pieces.size()), 1, [&](const graph::Share& share) {
          for (const std::int64_t piece : share) {
            for (std::int64_t i = piece * kPiece; i < std::min(count, (piece + 1) * kPiece); ++i) {
              const TagEvidence& item = items[graph::at(i)];
              const std::vector<float> phi = columns(item);
              std::vector<float> p = scores(phi, weights);
              to_probabilities(link_, p);
              Curvature& sum = pieces[graph::at(piece)];
              if (link_ == TagLink::softmax)
                add_softmax(phi, p, item.labels.front(), size, sum);
              else
                add_logistic(phi, p, item.labels, size, sum);
            }
          }
        });
    Curvature total;
    for (const Curvature& piece : pieces) total.add(piece);
    const double scale = static_cast<double>(items.size());
    for (std::size_t i = 0; i < size; ++i) {
      const double off = weights[i] - (i == 0 ? 1.0 : 0.0);
      total.loss += 0.5 * kPrecision * scale * off * off;
      total.gradient[i] += kPrecision * scale * off;
      total.second[i][i] += kPrecision * scale;
    }
    return total;
  };
  Curvature now = curvature_at(weights_);
  for (int step = 0; step < kNewtonSteps; ++step) {
    const Weights direction = solve(now.second, now.gradient, size);
    double length = 1.0;
    bool better = false;
    for (int halving = 0; halving < 12 && !better; ++halving, length *= 0.5) {
      Weights next = weights_;
      for (std::size_t i = 0; i < size; ++i) next[i] -= length * direction[i];
      Curvature there = curvature_at(next);
      if (!(there.loss < now.loss)) continue;
      better = there.loss < now.loss - kConverged * std::abs(now.loss);
      weights_ = next;
      now = there;
      if (!better) return;
    }
    if (!better) return;
  }
}

}  // namespace penchant::pipeline
