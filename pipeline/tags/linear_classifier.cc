// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/linear_classifier.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/parallel.h"
#include "graph/random.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Rows of a batch: enough to share among threads, few enough that passes take many steps.
constexpr std::int64_t kBatchRows = 64;
constexpr double kLeastProbability = 1e-12;
/// Residuals below this are left out of the weights' gradients: after the first pass these are most.
constexpr float kLeastResidual = 1e-4F;

/// y += a x, both [C].
void add_scaled(float a, const float* x, std::int64_t count, float* y) {
#pragma omp simd
  for (std::int64_t c = 0; c < count; ++c) y[c] += a * x[c];
}

}  // namespace

void LinearClassifier::logits(std::span<const NodeId> features, std::span<const float> values,
                              std::span<float> z) const {
  std::copy(bias.begin(), bias.end(), z.begin());
  for (std::size_t e = 0; e < features.size(); ++e)
    add_scaled(values[e], row(features[e]), num_classes, z.data());
}

void to_probabilities(TagLink link, std::span<float> z) {
  if (link == TagLink::logistic) {
    for (float& value : z) value = 1.0F / (1.0F + std::exp(-value));
    return;
  }
  const float largest = *std::max_element(z.begin(), z.end());
  float sum = 0.0F;
  for (float& value : z) {
    value = std::exp(value - largest);
    sum += value;
  }
  for (float& value : z) value /= sum;
}

ClassifierTraining::ClassifierTraining(const ClassifierData& data, std::vector<NodeId> rows,
                                       const ClassifierOptions& options)
    : data_(data), rows_(std::move(rows)), options_(options) {
  const std::int64_t num_features = data.features.num_cols, num_classes = data.labels.num_cols;
  classifier_ = {num_features, num_classes,
                 std::vector<float>(graph::at(num_features * num_classes)),
                 std::vector<float>(graph::at(num_classes))};
  squares_.assign(graph::at(num_features) + 1, 0.0F);
  carriers_.assign(graph::at(num_features), 0);
  std::vector<double> counts(graph::at(num_classes), 0.5);  // what nobody carries has a logit too
  for (const NodeId row : rows_) {
    for (const NodeId feature : data.features.row(row)) ++carriers_[graph::at(feature)];
    for (const NodeId label : data.labels.row(row)) counts[graph::at(label)] += 1.0;
  }
  const double total = static_cast<double>(rows_.size()) + 1.0;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const double rest = options.link == TagLink::softmax ? total : total - counts[c];
    classifier_.bias[c] = static_cast<float>(std::log(counts[c] / rest));
  }
  residuals_.resize(graph::at(kBatchRows * num_classes));
  large_.resize(graph::at(kBatchRows));
}

void ClassifierTraining::pass() {
  const auto size = static_cast<std::uint64_t>(rows_.size());
  const graph::Permutation order(options_.seed, graph::Stream::shuffle,
                                 static_cast<std::uint64_t>(passes_++), size);
  std::vector<NodeId> batch;
  for (std::uint64_t i = 0; i < size; ++i) {
    batch.push_back(rows_[order(i)]);
    if (static_cast<std::int64_t>(batch.size()) < kBatchRows && i + 1 < size) continue;
    step(batch);
    batch.clear();
  }
}

void ClassifierTraining::residuals(std::span<const NodeId> batch) {
  const std::int64_t num_classes = classifier_.num_classes;
  graph::parallel_for(static_cast<std::int64_t>(batch.size()), 4, [&](const graph::Share& share) {
    for (const std::int64_t b : share) {
      const NodeId row = batch[graph::at(b)];
      const std::span<float> z(residuals_.data() + b * num_classes, graph::at(num_classes));
      classifier_.logits(data_.features.row(row), data_.features.row_values(row), z);
      to_probabilities(options_.link, z);
      for (const NodeId label : data_.labels.row(row)) z[graph::at(label)] -= 1.0F;
      std::vector<NodeId>& large = large_[graph::at(b)];
      large.clear();
      for (NodeId c = 0; c < num_classes; ++c) {
        if (std::abs(z[graph::at(c)]) > kLeastResidual) large.push_back(c);
      }
    }
  });
}

void ClassifierTraining::update(std::int64_t feature, std::span<const Touch> touches,
                                Gradient& gradient) {
  const std::int64_t num_classes = classifier_.num_classes;
  float* const weights = classifier_.weights.data() + feature * num_classes;
  if (options_.l2 > 0.0F) {
    const float decay = options_.l2 * static_cast<float>(touches.size()) /
                        static_cast<float>(carriers_[graph::at(feature)]);
    for (NodeId c = 0; c < num_classes; ++c) {
      if (weights[c] == 0.0F) continue;
      gradient.of_class[graph::at(c)] = decay * weights[c];
      gradient.touched.push_back(c);
    }
  }
  for (const Touch& touch : touches) {
    const float* const residuals = residuals_.data() + touch.row * num_classes;
    for (const NodeId c : large_[graph::at(touch.row)]) {
      float& sum = gradient.of_class[graph::at(c)];
      if (sum == 0.0F) gradient.touched.push_back(c);
      sum += touch.value * residuals[c];
    }
  }
  float square = 0.0F;
  for (const NodeId c : gradient.touched)
    square += gradient.of_class[graph::at(c)] * gradient.of_class[graph::at(c)];
  float& sum = squares_[graph::at(feature)];
  sum += square;
  const float step = sum == 0.0F ? 0.0F : options_.learning_rate / std::sqrt(sum);
  for (const NodeId c : gradient.touched) {
    weights[c] -= step * gradient.of_class[graph::at(c)];
    gradient.of_class[graph::at(c)] = 0.0F;  // and what stands twice in the list moves once
  }
  gradient.touched.clear();
}

void ClassifierTraining::step(std::span<const NodeId> batch) {
  residuals(batch);
  touches_.clear();
  for (std::size_t b = 0; b < batch.size(); ++b) {
    const auto features = data_.features.row(batch[b]);
    const auto values = data_.features.row_values(batch[b]);
    for (std::size_t e = 0; e < features.size(); ++e)
      touches_.push_back({features[e], static_cast<std::int32_t>(b), values[e]});
  }
  std::sort(touches_.begin(), touches_.end(), [](const Touch& a, const Touch& b) {
    return std::pair(a.feature, a.row) < std::pair(b.feature, b.row);
  });
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < touches_.size(); ++i) {
    if (i == 0 || touches_[i].feature != touches_[i - 1].feature) starts.push_back(i);
  }
  starts.push_back(touches_.size());
  graph::parallel_for(
      static_cast<std::int64_t>(starts.size()) - 1, 32, [&](const graph::Share& share) {
        Gradient gradient{std::vector<float>(graph::at(classifier_.num_classes)), {}};
        for (const std::int64_t group : share) {
          const std::size_t first = starts[graph::at(group)], last = starts[graph::at(group) + 1];
          update(touches_[first].feature, std::span(touches_).subspan(first, last - first),
                 gradient);
        }
      });
  const std::int64_t num_classes = classifier_.num_classes;
  std::vector<float> gradient(graph::at(num_classes));
  for (std::size_t b = 0; b < batch.size(); ++b)
    add_scaled(1.0F, residuals_.data() + static_cast<std::int64_t>(b) * num_classes, num_classes,
               gradient.data());
  for (const float g : gradient) squares_.back() += g * g;
  if (squares_.back() > 0.0F)
    add_scaled(-options_.learning_rate / std::sqrt(squares_.back()), gradient.data(), num_classes,
               classifier_.bias.data());
}

double mean_loss(const LinearClassifier& classifier, const ClassifierData& data,
                 std::span<const NodeId> rows, TagLink link) {
  std::vector<double> losses(rows.size());
  const std::int64_t num_classes = classifier.num_classes;
  graph::parallel_for(static_cast<std::int64_t>(rows.size()), 16, [&](const graph::Share& share) {
    std::vector<float> z(graph::at(num_classes));
    for (const std::int64_t i : share) {
      const NodeId row = rows[graph::at(i)];
      classifier.logits(data.features.row(row), data.features.row_values(row), z);
      to_probabilities(link, z);
      double loss = 0.0;
      if (link == TagLink::logistic) {
        for (const float p : z) loss -= std::log(std::max(1.0 - p, kLeastProbability));
      }
      for (const NodeId label : data.labels.row(row)) {
        const double p = z[graph::at(label)];
        loss -= std::log(std::max(p, kLeastProbability));
        if (link == TagLink::logistic) loss += std::log(std::max(1.0 - p, kLeastProbability));
      }
      losses[graph::at(i)] = loss;
    }
  });
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  return sum / static_cast<double>(std::max<std::size_t>(rows.size(), 1));
}

}  // namespace penchant::pipeline
