// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/item_sets.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/data/where.h"

namespace penchant::pipeline {

using graph::at;
using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

namespace {

constexpr std::int64_t kFewestOwners = 5;
constexpr double kLargestShareOfUsers = 0.6;
/// Below this an attribute says too little about how interest spreads.
constexpr std::size_t kFewestSets = 8;

bool has_values(const Attribute& attribute) {
  return attribute.kind == AttributeKind::categorical || attribute.kind == AttributeKind::list;
}

/// Items of each value: rows of [values x I].
std::vector<std::vector<NodeId>> items_of_values(const Attribute& attribute) {
  std::vector<std::vector<NodeId>> items(at(attribute.values.size()));
  const graph::CsrView values = attribute.item_values.view();
  for (std::int64_t item = 0; item < values.num_rows; ++item) {
    for (const NodeId value : values.row(item))
      items[at(value)].push_back(static_cast<NodeId>(item));
  }
  return items;
}

/// The largest Jaccard index that a value's items have with `set`.
double likeness(const Attribute& attribute, const ItemSet& set) {
  const graph::CsrView values = attribute.item_values.view();
  std::vector<std::int64_t> sizes(at(attribute.values.size()), 0), common = sizes;
  for (const NodeId value : values.columns) ++sizes[at(value)];
  for (const NodeId item : set.items) {
    for (const NodeId value : values.row(item)) ++common[at(value)];
  }
  double best = 0.0;
  for (std::size_t value = 0; value < sizes.size(); ++value) {
    const std::int64_t either =
        sizes[value] + static_cast<std::int64_t>(set.items.size()) - common[value];
    best = std::max(best, static_cast<double>(common[value]) / static_cast<double>(either));
  }
  return best;
}

const Attribute* attribute_like(const ItemSet& set, const graph::Catalog& catalog) {
  const Attribute* best = nullptr;
  double best_likeness = 0.0;
  for (const Attribute& attribute : catalog.attributes) {
    if (!has_values(attribute)) continue;
    const double found = likeness(attribute, set);
    if (found > best_likeness) {
      best = &attribute;
      best_likeness = found;
    }
  }
  return best;
}

/// Users with an item of each value.
std::vector<std::int64_t> owners_of_values(const Attribute& attribute, const Dataset& dataset) {
  std::vector<std::int64_t> owners(at(attribute.values.size()), 0);
  std::vector<NodeId> last(owners.size(), graph::kNoNode);
  const graph::Interactions& rows = dataset.split.train.interactions;
  const graph::CsrView values = attribute.item_values.view();
  for (std::size_t row = 0; row < rows.user.size(); ++row) {
    for (const NodeId value : values.row(rows.item[row])) {
      if (std::exchange(last[at(value)], rows.user[row]) != rows.user[row]) ++owners[at(value)];
    }
  }
  return owners;
}

/// The entries with the most owners that are neither rare nor everybody's, most first.
std::vector<NodeId> most_owned(const std::vector<std::int64_t>& owners, std::int64_t num_users,
                               std::int64_t most) {
  const double limit = kLargestShareOfUsers * static_cast<double>(num_users);
  std::vector<NodeId> chosen;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] >= kFewestOwners && static_cast<double>(owners[i]) <= limit)
      chosen.push_back(static_cast<NodeId>(i));
  }
  std::stable_sort(chosen.begin(), chosen.end(),
                   [&](NodeId a, NodeId b) { return owners[at(a)] > owners[at(b)]; });
  if (std::cmp_greater(chosen.size(), most)) chosen.resize(at(most));
  return chosen;
}

}  // namespace

ChosenItems chosen_items(const Dataset& dataset, const InterestOptions& options) {
  const int given = (options.where.empty() ? 0 : 1) + (options.items_file.empty() ? 0 : 1) +
                    (options.items ? 1 : 0);
  if (given != 1)
    throw InputError("audience: expected either --interest or --interest-items, found " +
                     std::string(given == 0 ? "neither" : "both"));
  ChosenItems chosen;
  if (!options.where.empty()) {
    chosen.set.name = options.where;
    const auto holds = where_holds(dataset.catalog, options.where, {"--interest", "item", "items"});
    for (std::size_t item = 0; item < holds.size(); ++item) {
      if (holds[item] != 0) chosen.set.items.push_back(static_cast<NodeId>(item));
    }
    if (chosen.set.items.empty())
      throw InputError(fmt::format("--interest '{}': no item passes it", options.where));
    return chosen;
  }
  IdFile found = options.items ? find_raw_ids(*options.items, dataset.items, "item",
                                              options.unknown, "interest_items", options.key.get())
                               : read_id_file(options.items_file, dataset.items, "item",
                                              options.unknown, options.key.get());
  std::sort(found.ids.begin(), found.ids.end());
  chosen.set = {fmt::format("{} items", found.ids.size()), std::move(found.ids)};
  chosen.num_unknown = found.num_unknown;
  if (chosen.set.items.empty())
    throw InputError("--interest-items: none of the ids is an item of the data set");
  return chosen;
}

std::vector<ItemSet> sets_like(const ItemSet& set, const Dataset& dataset,
                               const std::vector<std::int64_t>& owners, std::int64_t most) {
  std::vector<ItemSet> sets;
  if (const Attribute* attribute = attribute_like(set, dataset.catalog)) {
    const auto items = items_of_values(*attribute);
    for (const NodeId value :
         most_owned(owners_of_values(*attribute, dataset), dataset.num_users(), most)) {
      sets.push_back({fmt::format("{} = {}", attribute->name, attribute->values.raw(value)),
                      items[at(value)]});
    }
  }
  if (sets.size() < kFewestSets) {
    for (const NodeId item :
         most_owned(owners, dataset.num_users(), most - static_cast<std::int64_t>(sets.size())))
      sets.push_back({std::string(dataset.items.raw(item)), {item}});
  }
  return sets;
}

}  // namespace penchant::pipeline
