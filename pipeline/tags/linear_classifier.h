// SPDX-License-Identifier: Apache-2.0
// Logistic regression on sparse rows, of one value an item (softmax) or of any number (one sigmoid
// a value):
//   z_ic = b_c + sum_f x_if W_fc
//   loss = -(1/N) sum_i log softmax(z_i)[y_i]               or binary cross entropy, summed over c
//          + l2 / (2 N) sum_f |W_f|^2
// by AdaGrad (Duchi, Hazan and Singer 2011) on batches, with one step length a row of W, as for
// tables of embeddings: a value that is seldom right then moves by as little as its residual says.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "graph/csr.h"
#include "graph/ids.h"

namespace penchant::pipeline {

/// softmax: exactly one value an item. logistic: any number, each by itself.
enum class TagLink { softmax, logistic };

struct LinearClassifier {
  std::int64_t num_features = 0;  ///< F
  std::int64_t num_classes = 0;   ///< C
  std::vector<float> weights;     ///< [F x C]
  std::vector<float> bias;        ///< [C]

  const float* row(std::int64_t feature) const { return weights.data() + feature * num_classes; }
  /// z [C] of one row of features; overwrites.
  void logits(std::span<const graph::NodeId> features, std::span<const float> values,
              std::span<float> z) const;
};

struct ClassifierOptions {
  TagLink link = TagLink::softmax;
  float learning_rate = 1.0F;
  float l2 = 0.0F;  ///< lambda of the sum above
  graph::Seed seed{42};
};

/// What is learned from: rows of features [N x F] and their values [N x C], without `values` (ones;
/// of a softmax one a row).
struct ClassifierData {
  graph::CsrView features;
  graph::CsrView labels;
};

/// Learns from some of the rows, one pass after another; the same bits at any number of threads.
class ClassifierTraining {
 public:
  /// `data` must outlive it. `rows`: which rows it learns from.
  ClassifierTraining(const ClassifierData& data, std::vector<graph::NodeId> rows,
                     const ClassifierOptions& options);
  void pass();
  const LinearClassifier& classifier() const { return classifier_; }
  LinearClassifier take() { return std::move(classifier_); }

 private:
  /// An entry of a batch: feature, row within the batch, value.
  struct Touch {
    graph::NodeId feature;
    std::int32_t row;
    float value;
  };
  void step(std::span<const graph::NodeId> batch);
  void residuals(std::span<const graph::NodeId> batch);
  /// What one thread adds up of one feature.
  struct Gradient {
    std::vector<float> of_class;         ///< [C], zeros between features
    std::vector<graph::NodeId> touched;  ///< where it is not
  };
  void update(std::int64_t feature, std::span<const Touch> touches, Gradient& gradient);

  ClassifierData data_;
  std::vector<graph::NodeId> rows_;
  ClassifierOptions options_;
  LinearClassifier classifier_;
  std::vector<float> squares_;                     ///< [F + 1] of AdaGrad; the last is the bias
  std::vector<std::int32_t> carriers_;             ///< [F] rows of `rows_` with the feature
  std::vector<float> residuals_;                   ///< [batch x C]
  std::vector<std::vector<graph::NodeId>> large_;  ///< of each row, classes of a residual
  std::vector<Touch> touches_;
  std::int64_t passes_ = 0;
};

/// -log likelihood of rows, the mean.
double mean_loss(const LinearClassifier& classifier, const ClassifierData& data,
                 std::span<const graph::NodeId> rows, TagLink link);

/// z -> p in place.
void to_probabilities(TagLink link, std::span<float> z);

}  // namespace penchant::pipeline
