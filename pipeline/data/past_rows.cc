// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/past_rows.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/content_files.h"
#include "pipeline/data/sort_log.h"

namespace penchant::pipeline {

using graph::at;
using graph::Interactions;
using graph::NodeId;

namespace {

std::array<const Interactions*, 3> all_parts(const Dataset& dataset) {
  return {&dataset.split.train.interactions, &dataset.split.validation, &dataset.split.test};
}

/// A row of one of the parts.
struct PartRow {
  const Interactions* part;
  std::size_t row;
  std::int64_t time_ms() const { return part->time_ms[row]; }
};

/// Rows before a time, oldest first; equal times in the order of users, then of the log.
std::vector<PartRow> rows_before_time(const Dataset& whole, std::int64_t until_ms) {
  std::vector<PartRow> rows;
  for (const Interactions* part : all_parts(whole)) {
    if (part->user.size() > part->time_ms.size())
      throw InputError("replay: the rows of the log have no times (data.columns.time)");
    for (std::size_t row = 0; row < part->user.size(); ++row) {
      if (part->time_ms[row] < until_ms) rows.push_back({part, row});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const PartRow& a, const PartRow& b) {
    return std::pair(a.time_ms(), a.part->user[a.row]) <
           std::pair(b.time_ms(), b.part->user[b.row]);
  });
  return rows;
}

void copy_row(const PartRow& from, NodeId user, NodeId item, Interactions& to) {
  add_row(*from.part, from.row, to);
  to.user.back() = user;
  to.item.back() = item;
}

/// Ids of then by the ids of now.
class EarlierIds {
 public:
  explicit EarlierIds(const graph::Dictionary& whole)
      : whole_(whole), ids_(at(whole.size()), graph::kNoNode) {}
  NodeId of(NodeId id) const { return ids_[at(id)]; }
  NodeId add(NodeId id, graph::Dictionary& dictionary) {
    NodeId& then = ids_[at(id)];
    if (then == graph::kNoNode) then = dictionary.intern(whole_.raw(id));
    return then;
  }

 private:
  const graph::Dictionary& whole_;
  std::vector<NodeId> ids_;
};

graph::Catalog catalog_of(const Dataset& whole, const graph::Dictionary& items) {
  graph::Catalog catalog;
  catalog.num_items = items.size();
  for (const graph::Attribute& attribute : whole.catalog.attributes) {
    graph::Attribute part;
    part.name = attribute.name;
    part.kind = attribute.kind;
    part.is_path = attribute.is_path;
    part.item_values.offsets = {0};
    for (std::int64_t item = 0; item < items.size(); ++item) {
      const NodeId now = whole.items.find(items.raw(static_cast<NodeId>(item)));
      switch (attribute.kind) {
        case graph::AttributeKind::numeric:
          part.numbers.push_back(attribute.numbers[at(now)]);
          break;
        case graph::AttributeKind::text:
          part.texts.push_back(attribute.texts[at(now)]);
          break;
        case graph::AttributeKind::categorical:
        case graph::AttributeKind::list: {
          std::vector<NodeId> values;
          for (const NodeId value : attribute.item_values.view().row(now)) {
            const std::string_view raw = attribute.values.raw(value);
            if (attribute.content.width > 0 && items.find(raw) == graph::kNoNode) continue;
            values.push_back(part.values.intern(raw));
          }
          std::sort(values.begin(), values.end());
          graph::Csr& links = part.item_values;
          links.columns.insert(links.columns.end(), values.begin(), values.end());
          links.offsets.push_back(static_cast<graph::EdgeOffset>(links.columns.size()));
          break;
        }
      }
    }
    finish_attribute(part, items.size());
    if (attribute.content.width > 0) keep_landmarks(attribute, items, part);
    catalog.attributes.push_back(std::move(part));
  }
  return catalog;
}

}  // namespace

Delivery delivery_of(const Dataset& whole, std::int64_t from_ms, std::int64_t until_ms,
                     double validation_fraction) {
  std::vector<std::int64_t> times;
  for (const Interactions* part : all_parts(whole)) {
    for (const std::int64_t time : part->time_ms) {
      if (time >= from_ms && time < until_ms) times.push_back(time);
    }
  }
  if (times.empty() || validation_fraction <= 0.0) return {until_ms, until_ms};
  const auto first =
      static_cast<std::ptrdiff_t>((1.0 - validation_fraction) * static_cast<double>(times.size()));
  const auto place = times.begin() + std::min(first, static_cast<std::ptrdiff_t>(times.size()) - 1);
  std::nth_element(times.begin(), place, times.end());
  return {until_ms, *place};
}

PastRows rows_until(const Dataset& whole, std::span<const Delivery> deliveries,
                    std::int64_t reveal_until_ms) {
  PENCHANT_ASSERT(!deliveries.empty());
  PastRows past;
  Dataset& dataset = past.dataset;
  EarlierIds users(whole.users);
  EarlierIds items(whole.items);
  const std::int64_t now = deliveries.back().until_ms;
  std::size_t delivery = 0;
  for (const PartRow& row : rows_before_time(whole, reveal_until_ms)) {
    while (delivery < deliveries.size() && row.time_ms() >= deliveries[delivery].until_ms)
      ++delivery;
    const NodeId user = row.part->user[row.row];
    const NodeId item = row.part->item[row.row];
    if (row.time_ms() >= now) {
      ++past.num_revealed;
      if (users.of(user) == graph::kNoNode || items.of(item) == graph::kNoNode)
        ++past.num_of_unknown;
      else
        copy_row(row, users.of(user), items.of(item), dataset.split.test);
      continue;
    }
    if (delivery + 1 == deliveries.size()) ++past.num_new_rows;
    const bool validates = row.time_ms() >= deliveries[delivery].validation_from_ms;
    copy_row(row, users.add(user, dataset.users), items.add(item, dataset.items),
             validates ? dataset.split.validation : dataset.split.train.interactions);
  }
  const Interactions& train = dataset.split.train.interactions;
  if (train.user.empty()) throw InputError("replay: no row comes before the first period");
  for (Interactions* part :
       {&dataset.split.train.interactions, &dataset.split.validation, &dataset.split.test})
    sort_log(*part, dataset.num_users());
  dataset.catalog = catalog_of(whole, dataset.items);
  dataset.event_names = whole.event_names;
  dataset.repeated_share = whole.repeated_share;
  dataset.repeats_allowed = whole.repeats_allowed;
  dataset.user_statistics = count_entities(train.user, train.time_ms, dataset.num_users());
  dataset.item_statistics = count_entities(train.item, train.time_ms, dataset.num_items());
  std::string text = whole.hash;
  for (const Delivery& each : deliveries)
    text += fmt::format(" {} {}", each.until_ms, each.validation_from_ms);
  dataset.hash = hash_bytes(text);
  return past;
}

}  // namespace penchant::pipeline
