// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/logistic.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"
#include "graph/ids.h"
#include "graph/parallel.h"

namespace penchant::pipeline {

using graph::at;

namespace {

constexpr std::int64_t kExamplesPerBlock = 8192;
constexpr int kMostNewtonSteps = 50;

/// Sums over examples: the loss, its gradient, and the lower triangle of its Hessian.
struct LogisticSums {
  double loss = 0.0;
  std::vector<double> gradient, hessian;
};

class LogisticFit {
 public:
  LogisticFit(std::span<const float> examples, std::span<const std::uint8_t> labels, double lambda)
      : examples_(examples),
        labels_(labels),
        num_features_(examples.size() / labels.size()),
        lambda_(lambda) {
    standardize();
  }

  LogisticModel fit() {
    std::vector<double> parameters(num_features_ + 1, 0.0);
    LogisticSums sums = sums_at(parameters);
    for (int step = 0; step < kMostNewtonSteps; ++step) {
      std::vector<double> direction = sums.gradient;
      if (!solve_in_place(sums.hessian, direction)) break;
      double decrement = 0.0;
      for (std::size_t j = 0; j < direction.size(); ++j)
        decrement += direction[j] * sums.gradient[j];
      if (decrement < 1e-10 * (1.0 + sums.loss)) return model_of(parameters);
      // A step that does not lower the loss is halved: far from the minimum a whole one may not.
      double length = 1.0;
      std::vector<double> next(parameters.size());
      LogisticSums next_sums;
      do {
        for (std::size_t j = 0; j < next.size(); ++j)
          next[j] = parameters[j] - length * direction[j];
        next_sums = sums_at(next);
        length /= 2.0;
      } while (!(next_sums.loss <= sums.loss) && length > 1e-6);
      parameters = next;
      sums = std::move(next_sums);
    }
    throw InputError(
        "the regression of the audience does not converge: its features are not finite");
  }

 private:
  void standardize() {
    const auto num_examples = static_cast<double>(labels_.size());
    model_.mean.assign(num_features_, 0.0);
    model_.deviation.assign(num_features_, 0.0);
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      for (std::size_t j = 0; j < num_features_; ++j)
        model_.mean[j] += static_cast<double>(examples_[n * num_features_ + j]);
    }
    for (double& mean : model_.mean) mean /= num_examples;
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      for (std::size_t j = 0; j < num_features_; ++j) {
        const double from_mean =
            static_cast<double>(examples_[n * num_features_ + j]) - model_.mean[j];
        model_.deviation[j] += from_mean * from_mean;
      }
    }
    for (double& deviation : model_.deviation) {
      deviation = std::sqrt(deviation / num_examples);
      if (!(deviation > 1e-9)) deviation = 1.0;
    }
  }

  LogisticSums sums_at(const std::vector<double>& parameters) const {
    const std::int64_t num_examples = static_cast<std::int64_t>(labels_.size());
    const std::int64_t num_blocks = (num_examples + kExamplesPerBlock - 1) / kExamplesPerBlock;
    std::vector<LogisticSums> blocks(at(num_blocks));
    graph::parallel_for(num_blocks, 1, [&](const graph::Share& share) {
      for (const std::int64_t block : share) {
        const std::int64_t first = block * kExamplesPerBlock;
        blocks[at(block)] =
            sums_of(parameters, first, std::min(first + kExamplesPerBlock, num_examples));
      }
    });
    LogisticSums total = std::move(blocks.front());
    for (std::size_t block = 1; block < blocks.size(); ++block) {
      total.loss += blocks[block].loss;
      for (std::size_t j = 0; j < total.gradient.size(); ++j)
        total.gradient[j] += blocks[block].gradient[j];
      for (std::size_t j = 0; j < total.hessian.size(); ++j)
        total.hessian[j] += blocks[block].hessian[j];
    }
    for (std::size_t j = 0; j < num_features_; ++j) {
      total.loss += 0.5 * lambda_ * parameters[j] * parameters[j];
      total.gradient[j] += lambda_ * parameters[j];
      total.hessian[j * (num_features_ + 1) + j] += lambda_;
    }
    // The intercept has no penalty, and where all labels are sure nearly no curvature.
    total.hessian.back() += 1e-9;
    return total;
  }

  LogisticSums sums_of(const std::vector<double>& parameters, std::int64_t first,
                       std::int64_t last) const {
    const std::size_t size = num_features_ + 1;
    LogisticSums sums{0.0, std::vector<double>(size, 0.0), std::vector<double>(size * size, 0.0)};
    std::vector<double> z(size, 1.0);
    for (std::int64_t n = first; n < last; ++n) {
      double log_odds = parameters.back();
      for (std::size_t j = 0; j < num_features_; ++j) {
        z[j] = (static_cast<double>(examples_[at(n) * num_features_ + j]) - model_.mean[j]) /
               model_.deviation[j];
        log_odds += parameters[j] * z[j];
      }
      const bool positive = labels_[at(n)] != 0;
      const double margin = positive ? log_odds : -log_odds;
      sums.loss +=
          margin > 0 ? std::log1p(std::exp(-margin)) : std::log1p(std::exp(margin)) - margin;
      const double probability = sigmoid(log_odds);
      const double residual = probability - (positive ? 1.0 : 0.0);
      const double curvature = probability * (1.0 - probability);
      for (std::size_t j = 0; j < size; ++j) {
        sums.gradient[j] += residual * z[j];
        for (std::size_t k = 0; k <= j; ++k) sums.hessian[j * size + k] += curvature * z[j] * z[k];
      }
    }
    return sums;
  }

  LogisticModel model_of(const std::vector<double>& parameters) {
    model_.weights.assign(parameters.begin(), parameters.end() - 1);
    model_.intercept = parameters.back();
    return std::move(model_);
  }

  std::span<const float> examples_;
  std::span<const std::uint8_t> labels_;
  std::size_t num_features_;
  double lambda_;
  LogisticModel model_;
};

}  // namespace

bool solve_in_place(std::vector<double>& a, std::span<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    double* const row = a.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const other = a.data() + j * n;
      double sum = row[j];
      for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
      } else {
        if (!(sum > 0.0)) return false;
        row[i] = std::sqrt(sum);
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return true;
}

double LogisticModel::log_odds(std::span<const float> features) const {
  double sum = intercept;
  for (std::size_t j = 0; j < weights.size(); ++j)
    sum += weights[j] * (static_cast<double>(features[j]) - mean[j]) / deviation[j];
  return sum;
}

LogisticModel fit_logistic(std::span<const float> examples, std::span<const std::uint8_t> labels,
                           double lambda) {
  PENCHANT_ASSERT(!labels.empty() && examples.size() % labels.size() == 0);
  return LogisticFit(examples, labels, lambda).fit();
}

double sigmoid(double log_odds) {
  return log_odds >= 0 ? 1.0 / (1.0 + std::exp(-log_odds))
                       : std::exp(log_odds) / (1.0 + std::exp(log_odds));
}

}  // namespace penchant::pipeline
