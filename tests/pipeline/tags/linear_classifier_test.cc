// SPDX-License-Identifier: Apache-2.0
// The classifier against gradient descent in double, and the same bits at any number of threads.
#include "pipeline/tags/linear_classifier.h"

#include <omp.h>

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "graph/random.h"

namespace penchant::pipeline {
namespace {

using graph::at;
using graph::Csr;
using graph::NodeId;

constexpr std::int64_t kFeatures = 6, kClasses = 3;

/// Rows of two features each, and a value that depends on them and on chance.
struct SmallData {
  Csr features, labels;
  std::vector<NodeId> rows;

  SmallData(std::int64_t count, bool several) {
    features = {0, kFeatures, {0}, {}, {}};
    labels = {0, kClasses, {0}, {}, {}};
    const graph::Random random(graph::Seed{3}, graph::Stream::generator);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto place = static_cast<std::uint64_t>(i) * 8;
      const auto first = static_cast<NodeId>(random.below(place, 3));
      const auto second = static_cast<NodeId>(3 + random.below(place + 1, 3));
      features.columns.insert(features.columns.end(), {first, second});
      features.values.insert(features.values.end(), {1.0F, 0.5F});
      features.offsets.push_back(static_cast<std::int64_t>(features.columns.size()));
      for (NodeId c = 0; c < kClasses; ++c) {
        const bool likely = c == first || (several && c == second - 3);
        const bool own = several ? random.uniform(place + 2 + static_cast<std::uint64_t>(c)) <
                                       (likely ? 0.8 : 0.1)
                                 : c == (random.uniform(place + 2) < 0.7 ? first : second - 3);
        if (own) labels.columns.push_back(c);
      }
      labels.offsets.push_back(static_cast<std::int64_t>(labels.columns.size()));
    }
    features.num_rows = labels.num_rows = count;
    rows.resize(at(count));
    std::iota(rows.begin(), rows.end(), 0);
  }
  ClassifierData data() const { return {features.view(), labels.view()}; }
  bool has(std::int64_t row, NodeId value) const {
    for (const NodeId own : labels.view().row(row)) {
      if (own == value) return true;
    }
    return false;
  }
};

/// The loss of linear_classifier.h at (weights, bias), and its gradient, in plain loops.
double plain_loss(const SmallData& small, TagLink link, double l2, const std::vector<double>& x,
                  std::vector<double>& gradient) {
  const auto count = static_cast<double>(small.rows.size());
  gradient.assign(x.size(), 0.0);
  double loss = 0.0;
  const std::size_t bias = at(kFeatures * kClasses);
  for (std::size_t i = 0; i < bias; ++i) {
    loss += 0.5 * l2 / count * x[i] * x[i];
    gradient[i] += l2 / count * x[i];
  }
  for (std::int64_t row = 0; row < small.features.num_rows; ++row) {
    double z[kClasses], sum = 0.0;
    const auto features = small.features.view().row(row);
    const auto values = small.features.view().row_values(row);
    for (std::size_t c = 0; c < kClasses; ++c) {
      z[c] = x[bias + c];
      for (std::size_t e = 0; e < 2; ++e) z[c] += values[e] * x[at(features[e] * kClasses) + c];
      sum += std::exp(z[c]);
    }
    for (std::size_t c = 0; c < kClasses; ++c) {
      const double own = small.has(row, static_cast<NodeId>(c)) ? 1.0 : 0.0;
      const double p = link == TagLink::softmax ? std::exp(z[c]) / sum : 1 / (1 + std::exp(-z[c]));
      loss -= own * std::log(p) / count;
      if (link == TagLink::logistic) loss -= (1 - own) * std::log(1 - p) / count;
      const double residual = (p - own) / count;
      gradient[bias + c] += residual;
      for (std::size_t e = 0; e < 2; ++e)
        gradient[at(features[e] * kClasses) + c] += residual * values[e];
    }
  }
  return loss;
}

class LinearClassifierTest : public ::testing::TestWithParam<TagLink> {};

TEST_P(LinearClassifierTest, ComesToTheLossOfGradientDescentInDouble) {
  const SmallData small(400, GetParam() == TagLink::logistic);
  constexpr float kL2 = 2.0F;
  std::vector<double> x(at(kFeatures * kClasses + kClasses)), gradient;
  for (int step = 0; step < 4000; ++step) {
    plain_loss(small, GetParam(), kL2, x, gradient);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 1.0 * gradient[i];
  }
  const double least = plain_loss(small, GetParam(), kL2, x, gradient);

  ClassifierTraining training(small.data(), small.rows, {GetParam(), 0.3F, kL2});
  for (int pass = 0; pass < 200; ++pass) training.pass();
  const LinearClassifier& found = training.classifier();
  std::vector<double> ours(found.weights.begin(), found.weights.end());
  ours.insert(ours.end(), found.bias.begin(), found.bias.end());
  const double loss = plain_loss(small, GetParam(), kL2, ours, gradient);
  EXPECT_GE(loss, least - 1e-6);
  EXPECT_LT(loss, least + 0.003) << "least " << least;
  std::fill(x.begin(), x.end(), 0.0);
  EXPECT_GT(plain_loss(small, GetParam(), kL2, x, gradient), least + 0.1);

  double decay = 0.0;
  for (const float weight : found.weights) decay += 0.5 * kL2 / 400 * weight * weight;
  EXPECT_NEAR(mean_loss(found, small.data(), small.rows, GetParam()), loss - decay, 1e-5);
}

TEST_P(LinearClassifierTest, HasTheSameBitsAtAnyNumberOfThreads) {
  const SmallData small(300, GetParam() == TagLink::logistic);
  const int threads = omp_get_max_threads();
  std::vector<float> weights[2];
  for (const int count : {1, 3}) {
    omp_set_num_threads(count);
    ClassifierTraining training(small.data(), small.rows, {GetParam(), 1.0F, 0.1F});
    for (int pass = 0; pass < 3; ++pass) training.pass();
    weights[count / 3] = training.classifier().weights;
  }
  omp_set_num_threads(threads);
  EXPECT_EQ(weights[0], weights[1]);
}

INSTANTIATE_TEST_SUITE_P(Links, LinearClassifierTest,
                         ::testing::Values(TagLink::softmax, TagLink::logistic));

}  // namespace
}  // namespace penchant::pipeline
