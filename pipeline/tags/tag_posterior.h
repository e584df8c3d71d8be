// SPDX-License-Identifier: Apache-2.0
// Probabilities of values from what the classifier and the neighbours say, whose few weights are
// found on items that neither learned from: temperature scaling (Guo et al., "On calibration of
// modern neural networks", ICML 2017, section 4.2) with more than one logit,
//   s_c = t z_c + p log prior_c + sum_k a_k log(1 + n_kc / kFew) [- b_k log(1 + n_k / kFew) + d]
// with z the classifier's logits, n_kc the weight of the neighbours of kind k that carry value c,
// n_k that of all; softmax(s), or sigmoid(s) with what stands in brackets. Both are convex in the
// weights; Newton's method finds them. A sigmoid's weights go by the many values that an item does
// not have; what is likely is calibrated by an isotonic map behind it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "graph/ids.h"
#include "pipeline/tags/isotonic_map.h"
#include "pipeline/tags/linear_classifier.h"
#include "pipeline/tags/tag_neighbours.h"

namespace penchant::pipeline {

/// What is said of one item.
struct TagEvidence {
  std::vector<float> logits;  ///< z [C]
  std::array<ValueWeights, TagNeighbours::kKinds> near;
  std::vector<graph::NodeId> labels;  ///< its values, where they are known
};

class TagPosterior {
 public:
  static constexpr std::size_t kKinds = TagNeighbours::kKinds;
  /// t, p, a_1 .., b_1 .., d.
  static constexpr std::size_t kWeights = 3 + 2 * kKinds;
  using Weights = std::array<double, kWeights>;

  /// t = 1 and all others 0. `prior` [C]: shares of the known items.
  TagPosterior(TagLink link, std::vector<float> prior);
  /// Minimises the mean of -log p over items whose labels are known.
  void fit(std::span<const TagEvidence> items);
  /// Fits the map behind a sigmoid; of a softmax it stays as it is.
  void calibrate(std::vector<ToldProbability> told);
  float calibrated(float probability) const { return map_(probability); }
  /// p [C].
  std::vector<float> probabilities(const TagEvidence& item) const;
  const Weights& weights() const { return weights_; }
  TagLink link() const { return link_; }
  const std::vector<float>& prior() const { return prior_; }

 private:
  std::size_t num_weights() const { return link_ == TagLink::softmax ? 2 + kKinds : kWeights; }
  /// phi [C x kWeights].
  std::vector<float> columns(const TagEvidence& item) const;
  std::vector<float> scores(const std::vector<float>& phi, const Weights& weights) const;

  TagLink link_;
  std::vector<float> prior_, log_prior_;
  Weights weights_{};
  IsotonicMap map_;
};

}  // namespace penchant::pipeline
