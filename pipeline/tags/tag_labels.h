// SPDX-License-Identifier: Apache-2.0
// The known values of an attribute as what a classifier learns: which can be told, and which items
// have them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/catalog.h"
#include "graph/csr.h"
#include "pipeline/tags/linear_classifier.h"

namespace penchant::pipeline {

struct TagLabels {
  TagLink link = TagLink::softmax;
  graph::Csr labels;                   ///< [I x C] of the values that can be told
  std::vector<graph::NodeId> values;   ///< [C] ids of Attribute::values, ascending
  std::vector<float> prior;            ///< [C] shares of the known items
  std::vector<graph::NodeId> known;    ///< items with one of them, ascending
  std::vector<graph::NodeId> missing;  ///< items without any value, ascending
  std::int64_t rare_values = 0;        ///< of fewer than min_support items, or beyond kMostClasses
  std::int64_t rare_items = 0;         ///< that have none but such values
};

/// Values that are told apart at most; the most frequent are.
inline constexpr std::int64_t kMostClasses = 4096;

/// The attribute. Throws InputError: no such one (with the nearest), a numeric or text one.
const graph::Attribute& taggable_attribute(const graph::Catalog& catalog, const std::string& name);
/// Throws InputError: nothing known, a single value, all values rarer than `min_support`.
TagLabels tag_labels(const graph::Attribute& attribute, std::int64_t num_items,
                     std::int64_t min_support);

}  // namespace penchant::pipeline
