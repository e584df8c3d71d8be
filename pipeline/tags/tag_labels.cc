// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tag_labels.h"

#include <algorithm>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

const Attribute& taggable_attribute(const graph::Catalog& catalog, const std::string& name) {
  const Attribute* attribute = catalog.find(name);
  if (attribute == nullptr) {
    std::vector<std::string> names;
    for (const Attribute& other : catalog.attributes) names.push_back(other.name);
    const std::string near = nearest(name, names);
    throw InputError(
        fmt::format("--attribute: the items have no attribute '{}'{}; {}", printable(name),
                    near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near)),
                    names.empty() ? "they have none" : "they have: " + printable_list(names)));
  }
  if (attribute->kind != AttributeKind::categorical && attribute->kind != AttributeKind::list)
    throw InputError(
        fmt::format("--attribute: '{}' is {}, expected a categorical or list attribute",
                    printable(name), enum_name(attribute->kind)));
  return *attribute;
}

TagLabels tag_labels(const Attribute& attribute, std::int64_t num_items, std::int64_t min_support) {
  TagLabels result;
  result.link = attribute.kind == AttributeKind::categorical ? TagLink::softmax : TagLink::logistic;
  const graph::CsrView all = attribute.item_values.view();
  std::vector<std::int64_t> support(graph::at(attribute.values.size()));
  for (const NodeId value : all.columns) ++support[graph::at(value)];
  std::vector<NodeId> carried;
  for (std::size_t v = 0; v < support.size(); ++v) {
    if (support[v] > 0) carried.push_back(static_cast<NodeId>(v));
  }
  const std::string name = printable(attribute.name);
  if (carried.empty())
    throw InputError(
        fmt::format("--attribute: no item has a value of '{}', expected some to learn from", name));
  if (carried.size() == 1)
    throw InputError(fmt::format(
        "--attribute: all items with a '{}' have the same, '{}', expected two values or more", name,
        printable(attribute.values.raw(carried.front()))));
  std::copy_if(carried.begin(), carried.end(), std::back_inserter(result.values),
               [&](NodeId value) { return support[graph::at(value)] >= min_support; });
  if (result.values.size() < 2)
    throw InputError(fmt::format(
        "--min-support is {}: {} of the {} values of '{}' have as many known items, expected two "
        "or more values to have them",
        min_support, result.values.size(), carried.size(), name));
  if (static_cast<std::int64_t>(result.values.size()) > kMostClasses) {
    std::stable_sort(result.values.begin(), result.values.end(), [&](NodeId a, NodeId b) {
      return support[graph::at(a)] > support[graph::at(b)];
    });
    result.values.resize(kMostClasses);
    std::sort(result.values.begin(), result.values.end());
  }
  result.rare_values = static_cast<std::int64_t>(carried.size() - result.values.size());
  std::vector<NodeId> class_of(support.size(), graph::kNoNode);
  for (std::size_t c = 0; c < result.values.size(); ++c)
    class_of[graph::at(result.values[c])] = static_cast<NodeId>(c);
  result.labels.num_rows = num_items;
  result.labels.num_cols = static_cast<std::int64_t>(result.values.size());
  for (std::int64_t item = 0; item < num_items; ++item) {
    for (const NodeId value : all.row(item)) {
      if (class_of[graph::at(value)] != graph::kNoNode)
        result.labels.columns.push_back(class_of[graph::at(value)]);
    }
    const auto end = static_cast<graph::EdgeOffset>(result.labels.columns.size());
    const bool told = end > result.labels.offsets.back();
    result.labels.offsets.push_back(end);
    if (told)
      result.known.push_back(static_cast<NodeId>(item));
    else if (all.row_size(item) == 0)
      result.missing.push_back(static_cast<NodeId>(item));
    else
      ++result.rare_items;
  }
  result.prior.resize(result.values.size());
  for (std::size_t c = 0; c < result.values.size(); ++c)
    result.prior[c] = static_cast<float>(static_cast<double>(support[graph::at(result.values[c])]) /
                                         static_cast<double>(result.known.size()));
  return result;
}

}  // namespace penchant::pipeline
