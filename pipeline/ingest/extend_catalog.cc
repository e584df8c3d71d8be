// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/extend_catalog.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "pipeline/data/dataset.h"
#include "pipeline/ingest/log_rows.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

namespace {

/// The values of an item by their texts.
std::set<std::string_view> values_of(const Attribute& attribute, std::int64_t item) {
  std::set<std::string_view> values;
  for (const NodeId value : attribute.item_values.view().row(static_cast<NodeId>(item)))
    values.insert(attribute.values.raw(value));
  return values;
}

/// One attribute on its way to all items.
class Extension {
 public:
  Extension(Attribute& own, const Attribute* fresh, std::int64_t num_own)
      : own_(own), fresh_(fresh), num_own_(num_own) {}

  /// Appends the item's value; false if its own stays against another.
  bool add(std::int64_t item) {
    switch (own_.kind) {
      case AttributeKind::numeric:
        return add_number(static_cast<std::size_t>(item));
      case AttributeKind::text:
        return add_text(static_cast<std::size_t>(item));
      default:
        return add_values(item);
    }
  }

  /// What `add` refused, for a message.
  std::string difference(std::int64_t item) const {
    const auto place = static_cast<std::size_t>(item);
    if (own_.kind == AttributeKind::numeric)
      return fmt::format("{} and now {}", own_.numbers[place], fresh_->numbers[place]);
    if (own_.kind == AttributeKind::text)
      return fmt::format("'{}' and now '{}'", own_.texts[place], fresh_->texts[place]);
    return fmt::format("'{}' and now '{}'", fmt::join(values_of(own_, item), ", "),
                       fmt::join(values_of(*fresh_, item), ", "));
  }

  void finish(std::int64_t num_items) {
    if (own_.kind == AttributeKind::numeric || own_.kind == AttributeKind::text) return;
    own_.item_values.offsets = std::move(offsets_);
    own_.item_values.columns = std::move(columns_);
    finish_attribute(own_, num_items);
  }

 private:
  bool add_number(std::size_t item) {
    const float value =
        fresh_ == nullptr ? std::numeric_limits<float>::quiet_NaN() : fresh_->numbers[item];
    if (item == own_.numbers.size()) {
      own_.numbers.push_back(value);
      return true;
    }
    if (std::isnan(own_.numbers[item])) own_.numbers[item] = value;
    return std::isnan(value) || own_.numbers[item] == value;
  }

  bool add_text(std::size_t item) {
    const std::string value = fresh_ == nullptr ? std::string() : fresh_->texts[item];
    if (item == own_.texts.size()) {
      own_.texts.push_back(value);
      return true;
    }
    if (own_.texts[item].empty()) own_.texts[item] = value;
    return value.empty() || own_.texts[item] == value;
  }

  bool add_values(std::int64_t item) {
    const auto own = item < num_own_ ? own_.item_values.view().row(static_cast<NodeId>(item))
                                     : std::span<const NodeId>();
    const auto first = static_cast<std::ptrdiff_t>(columns_.size());
    columns_.insert(columns_.end(), own.begin(), own.end());
    bool same = true;
    if (fresh_ != nullptr) {
      const auto values = fresh_->item_values.view().row(static_cast<NodeId>(item));
      if (own.empty()) {  // in the order of their ids: of a path the shorter ones come first
        for (const NodeId value : values)
          columns_.push_back(own_.values.intern(fresh_->values.raw(value)));
        std::sort(columns_.begin() + first, columns_.end());
      } else if (!values.empty()) {
        same = values_of(own_, item) == values_of(*fresh_, item);
      }
    }
    offsets_.push_back(static_cast<graph::EdgeOffset>(columns_.size()));
    return same;
  }

  Attribute& own_;
  const Attribute* fresh_;  ///< null: nothing is known of new items
  std::int64_t num_own_;
  std::vector<graph::EdgeOffset> offsets_ = {0};
  std::vector<NodeId> columns_;
};

}  // namespace

graph::Catalog extend_catalog(graph::Catalog catalog, const graph::Catalog& fresh,
                              const graph::Dictionary& items, RowCounts& counts,
                              const IngestOptions& options) {
  Rejections rejections(options);
  for (Attribute& attribute : catalog.attributes) {
    Extension extension(attribute, fresh.find(attribute.name), catalog.num_items);
    for (std::int64_t item = 0; item < items.size(); ++item) {
      if (extension.add(item)) continue;
      rejections.malformed(
          fmt::format("attribute '{}' differs from the data set's, which stays", attribute.name),
          [&] {
            return fmt::format("item '{}': {}", items.raw(static_cast<NodeId>(item)),
                               extension.difference(item));
          },
          RowFate::cell);
    }
    extension.finish(items.size());
  }
  catalog.num_items = items.size();
  for (auto& reason : rejections.take()) counts.rejected.push_back(std::move(reason));
  return catalog;
}

}  // namespace penchant::pipeline
