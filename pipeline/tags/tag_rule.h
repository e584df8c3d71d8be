// SPDX-License-Identifier: Apache-2.0
// Which value is said of an item, given the probabilities. The one of largest probability is right
// most often, but rare values are then hardly ever said. With logit adjustment (Menon et al.,
// "Long-tail learning via logit adjustment", ICLR 2021, section 4.1),
//   argmax_c  log p_c - lambda log prior_c
// they are; of a list, every value with p_c >= least (prior_c / largest prior)^lambda. lambda and
// `least` are those that do best on items that nothing learned from. The probabilities stay as
// they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/ids.h"
#include "pipeline/tags/linear_classifier.h"

namespace penchant::pipeline {

struct TagRule {
  double lambda = 0.0;
  double least = 0.0;  ///< of lists
};

/// An item whose values are known, and what is said of them.
struct JudgedItem {
  std::vector<float> probabilities;   ///< [C]
  std::vector<graph::NodeId> labels;  ///< ascending
};

/// softmax: accuracy is the share of items that are told right, macro_f1 the mean over all values
/// that items have or are told, the calibration error that of the told value. logistic: accuracy is
/// |told and true| / |told or true| (Jaccard), the mean over items; macro_f1 over values of
/// kEnoughCarriers items or more; the calibration error is of each item's kCalibratedValues likeliest
/// values.
struct TagQuality {
  std::int64_t items = 0;
  double accuracy = 0.0, macro_f1 = 0.0;
  double calibration_error = 0.0;  ///< expected calibration error, 15 bins of equal mass
};
inline constexpr std::int64_t kEnoughCarriers = 10;
inline constexpr std::size_t kCalibratedValues = 5;

/// The values that a rule says, ascending: one of a softmax; none to any number of a logistic one.
std::vector<graph::NodeId> told_values(TagLink link, std::span<const float> probabilities,
                                       std::span<const float> prior, const TagRule& rule);
TagQuality judge_tags(TagLink link, std::span<const JudgedItem> items, std::span<const float> prior,
                      const TagRule& rule);
/// The rule of the largest accuracy + macro_f1.
TagRule choose_rule(TagLink link, std::span<const JudgedItem> items, std::span<const float> prior);

}  // namespace penchant::pipeline
