// SPDX-License-Identifier: Apache-2.0
// Missing values of a categorical or list attribute of items, told from the items' vectors, their
// neighbours and their other attributes, with calibrated probabilities (docs/tags.md).
//
// Nothing judges an item by what learned from its own value: the items whose value is known are
// divided into kTagFolds folds, and a classifier that has not seen a fold says what the weights of
// the probabilities, the rule and the values that look wrong go by. Items without a value are told
// by the mean of these classifiers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"
#include "pipeline/tags/tag_posterior.h"
#include "pipeline/tags/tag_rule.h"

namespace penchant::pipeline {

inline constexpr std::int64_t kTagFolds = 5;

struct TagOptions {
  std::string attribute;
  /// Least probability of a value that is told, in [0, 1]. Without it kTagThreshold for a
  /// categorical attribute, and for a list what the rule says (tag_rule.h).
  std::optional<double> threshold;
  /// Values of fewer known items are never told.
  std::int64_t min_support = 2;
  /// Absent: the items without a value.
  std::optional<std::vector<graph::NodeId>> items;
  graph::Seed seed{42};
};
inline constexpr double kTagThreshold = 0.5;

/// What is told of an item; of a list attribute a row a value.
struct TagRow {
  graph::NodeId item;
  graph::NodeId value;      ///< of Attribute::values; kNoNode: not known
  float probability;        ///< of `value`, or where that is not known of `likeliest`
  graph::NodeId likeliest;  ///< the value of largest probability
};

/// A value that an item has and that looks wrong.
struct SuspiciousRow {
  graph::NodeId item, stored;
  float stored_probability;
  graph::NodeId likeliest;
  float probability;  ///< of `likeliest`, which the item does not have
};
/// Stored values at most so probable, where another is at least so probable, look wrong.
inline constexpr float kSuspiciousStored = 0.01F, kSuspiciousOther = 0.9F;

struct TagReport {
  std::int64_t known = 0;    ///< items with a value that can be told
  std::int64_t missing = 0;  ///< without any
  std::int64_t learned_from = 0;
  std::int64_t values = 0;  ///< that can be told
  std::int64_t rare_values = 0,
               rare_items = 0;  ///< values of too few items; items with none but those
  std::int64_t told = 0, not_known = 0, rows = 0;  ///< of the items asked for
  std::string vectors;                             ///< "model" or "rows" (tag_neighbours.h)
  TagQuality quality;                              ///< on items that nothing learned from
  TagRule rule;
  TagPosterior::Weights weights{};
  double learning_rate = 0.0, l2 = 0.0;
  std::int64_t passes = 0;
  double loss = 0.0;  ///< of the chosen settings, on the fold that they were chosen on
};

/// An attribute of a model's items, learned. The model must outlive it.
class Tagger {
 public:
  /// Throws InputError: no such attribute (with the nearest), a numeric or text one, no or one value
  /// known, all values rarer than min_support, no item without a value, options out of range.
  /// `suspicious`: items that have a value are asked for.
  Tagger(const Model& model, const TagOptions& options, bool suspicious, Progress& progress);
  ~Tagger();
  /// In the order of the items. An item that has a value is told by what has not seen it.
  std::vector<TagRow> tags(Progress& progress);
  /// The most suspicious first.
  std::vector<SuspiciousRow> suspicious(Progress& progress);
  const TagReport& report() const;
  const graph::Attribute& attribute() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
