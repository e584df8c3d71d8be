// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/lookup.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/explain/explainer.h"
#include "pipeline/report/sample.h"
#include "pipeline/tables/base64.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::size_t kTitleBytes = 80;
constexpr std::size_t kTextBytes = 160;
constexpr std::size_t kMostAttributes = 24;
constexpr std::size_t kMostValues = 12;
constexpr std::int64_t kOwnersAtOnce = 512;
/// A sentence takes milliseconds, and of a network or a learned vector up to seconds.
constexpr std::int64_t kExplainedUsers = 20;
constexpr std::size_t kMostItemsOfExplained = 64;  ///< more take seconds each
constexpr std::int64_t kEndOf1970 = 365 * 86'400'000LL;

/// Bytes of a value in a page's script, where "<" is written \u003c; its comma with it.
std::size_t script_bytes(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto angles = std::count(text.begin(), text.end(), '<');
  return text.size() + 5 * static_cast<std::size_t>(angles) + 1;
}

/// Columns of a table, a record at a time.
class Columns {
 public:
  void add(json record) {
    for (auto& [name, value] : record.items()) columns_[name].push_back(std::move(value));
    ++size_;
  }
  std::int64_t size() const { return size_; }
  json take() { return std::move(columns_); }

 private:
  json columns_ = json::object();
  std::int64_t size_ = 0;
};

/// Texts or items, each at its place in a table. A record is made before it is known whether there
/// is room for it: what is new to it comes last, and stays if the record is kept.
template <typename Key>
class Places {
 public:
  std::int64_t place(const Key& key) {
    const auto [found, is_new] = places_.try_emplace(key, static_cast<std::int64_t>(keys_.size()));
    if (is_new) keys_.push_back(key);
    return found->second;
  }
  /// All since the last keep() or drop().
  std::span<const Key> fresh() const { return std::span(keys_).subspan(kept_); }
  void keep() { kept_ = keys_.size(); }
  void drop() {
    for (const Key& key : fresh()) places_.erase(key);
    keys_.resize(kept_);
  }
  const std::vector<Key>& all() const { return keys_; }

 private:
  std::unordered_map<Key, std::int64_t> places_;
  std::vector<Key> keys_;
  std::size_t kept_ = 0;
};

class ItemTable {
 public:
  explicit ItemTable(const Dataset& dataset) : dataset_(dataset) {}
  std::int64_t place(NodeId item) { return places_.place(item); }
  std::size_t fresh_bytes() const {
    std::size_t bytes = 0;
    for (const NodeId item : places_.fresh()) {
      for (const json& value : entry(item)) bytes += script_bytes(value);
    }
    return bytes;
  }
  void keep() { places_.keep(); }
  void drop() { places_.drop(); }
  json columns() const {
    Columns columns;
    for (const NodeId item : places_.all()) columns.add(entry(item));
    return columns.take();
  }

 private:
  json entry(NodeId item) const {
    const std::string id(dataset_.items.raw(item));
    const std::string title = item_label(dataset_, item);
    return {{"id", id},
            {"title", title == id ? "" : shortened(title, kTitleBytes)},
            {"rows", dataset_.item_statistics.count[at(item)]}};
  }

  const Dataset& dataset_;
  Places<NodeId> places_;
};

/// Takes records as long as there is room.
class Room {
 public:
  Room(ItemTable& items, Places<std::string>& words, std::size_t bytes)
      : items_(items), words_(words), left_(bytes) {}
  /// Whether there was room for it and for what it names.
  bool add(Columns& columns, json record) {
    std::size_t bytes = items_.fresh_bytes();
    for (const std::string& word : words_.fresh()) bytes += script_bytes(word);
    for (const json& value : record) bytes += script_bytes(value);
    if (bytes > left_) {
      items_.drop();
      words_.drop();
      return false;
    }
    left_ -= bytes;
    items_.keep();
    words_.keep();
    columns.add(std::move(record));
    return true;
  }
  std::size_t left() const { return left_; }
  void widen(std::size_t bytes) { left_ += bytes; }

 private:
  ItemTable& items_;
  Places<std::string>& words_;
  std::size_t left_;
};

/// What is known of items besides behaviour.
class AttributeCells {
 public:
  AttributeCells(const Dataset& dataset, Places<std::string>& words)
      : dataset_(dataset), words_(words) {
    for (const graph::Attribute& attribute : dataset.catalog.attributes) {
      if (shown_.size() < kMostAttributes) shown_.push_back(&attribute);
    }
  }
  json names() const {
    json names = json::array();
    for (const graph::Attribute* attribute : shown_)
      names.push_back(shortened(attribute->name, kTitleBytes));
    return names;
  }
  std::size_t left_out() const { return dataset_.catalog.attributes.size() - shown_.size(); }
  json of(NodeId item) {
    json cells = json::array();
    for (const graph::Attribute* attribute : shown_) cells.push_back(cell(*attribute, item));
    return cells;
  }

 private:
  json cell(const graph::Attribute& attribute, NodeId item) {
    switch (attribute.kind) {
      case graph::AttributeKind::numeric: {
        const float number = attribute.numbers[at(item)];
        // As many digits as the float has, not those of the double that JSON would write.
        return std::isfinite(number) ? json(std::stod(fmt::format("{}", number))) : json();
      }
      case graph::AttributeKind::text: {
        const std::string& text = attribute.texts[at(item)];
        const bool is_title = text == item_label(dataset_, item) && text.size() <= kTitleBytes;
        return text.empty() || is_title ? json() : json(shortened(text, kTextBytes));
      }
      case graph::AttributeKind::categorical:
      case graph::AttributeKind::list:
        break;
    }
    std::span<const NodeId> values = attribute.item_values.view().row(item);
    if (values.empty()) return {};
    if (attribute.is_path) values = values.last(1);  // the others are its beginnings
    json places = json::array();
    for (const NodeId value : values.first(std::min(values.size(), kMostValues)))
      places.push_back(
          words_.place(shortened(std::string(attribute.values.raw(value)), kTextBytes)));
    if (values.size() > kMostValues) places.push_back(-1);
    return places;
  }

  const Dataset& dataset_;
  Places<std::string>& words_;
  std::vector<const graph::Attribute*> shown_;
};

struct HistoryRow {
  std::int64_t time_ms = 0;
  NodeId item = graph::kNoNode;
  float weight = 1;
  std::int32_t event = -1;
};

/// What users are known to have had, and what the data say of it.
class KnownRows {
 public:
  KnownRows(const Dataset& dataset, std::span<const NodeId> users) : dataset_(dataset) {
    const graph::Interactions& train = dataset.split.train.interactions;
    std::int64_t latest = 0;
    for (const std::int64_t time : train.time_ms) latest = std::max(latest, time);
    timed_ = latest >= kEndOf1970;  // before it they are positions (graph/interactions.h)
    typed_ = dataset.event_names.size() > 1 && !train.event.empty();
    constexpr std::array<std::int64_t, 4> kUnits = {86'400'000, 60'000, 1000, 1};
    std::size_t unit = 0;
    for (const NodeId user : users) {
      for (const HistoryRow& row : latest_of(user)) {
        while (row.time_ms % kUnits[unit] != 0) ++unit;
        weighted_ |= !typed_ && row.weight != 1;
      }
    }
    unit_ = kUnits[unit];
  }
  bool timed() const { return timed_; }
  bool typed() const { return typed_; }
  std::int64_t time_unit() const { return unit_; }

  /// Adds to a user's record.
  void describe(NodeId user, ItemTable& items, json& record) const {
    std::vector<HistoryRow> rows = rows_of(user);
    record["rows"] = rows.size();
    rows = latest_of(std::move(rows));
    json had = json::array(), times = json::array(), events = json::array(),
         weights = json::array();
    std::int64_t previous = 0;
    for (const HistoryRow& row : rows) {
      had.push_back(items.place(row.item));
      const std::int64_t time = row.time_ms / unit_;
      times.push_back(had.size() == 1 ? time : previous - time);
      previous = time;
      events.push_back(row.event);
      weights.push_back(std::stod(fmt::format("{}", row.weight)));
    }
    record["had"] = std::move(had);
    if (timed_) record["time"] = std::move(times);
    if (typed_) record["event"] = std::move(events);
    if (weighted_) record["weight"] = std::move(weights);
  }

 private:
  std::vector<HistoryRow> latest_of(NodeId user) const { return latest_of(rows_of(user)); }
  /// The newest first.
  static std::vector<HistoryRow> latest_of(std::vector<HistoryRow> rows) {
    std::reverse(rows.begin(), rows.end());
    if (std::cmp_greater(rows.size(), kLookupHistory)) rows.resize(at(kLookupHistory));
    return rows;
  }
  /// Of the training and validation parts, in the order of known_items().
  std::vector<HistoryRow> rows_of(NodeId user) const {
    std::vector<HistoryRow> rows;
    for (const graph::Interactions* part :
         {&dataset_.split.train.interactions, &dataset_.split.validation}) {
      const auto [first, last] = std::equal_range(part->user.begin(), part->user.end(), user);
      for (auto k = at(first - part->user.begin()); k < at(last - part->user.begin()); ++k) {
        rows.push_back({part->time_ms.empty() ? 0 : part->time_ms[k], part->item[k],
                        part->weight[k], part->event.empty() ? -1 : part->event[k]});
      }
    }
    std::stable_sort(rows.begin(), rows.end(), [](const HistoryRow& a, const HistoryRow& b) {
      return a.time_ms < b.time_ms;
    });
    return rows;
  }

  const Dataset& dataset_;
  bool timed_ = false, typed_ = false, weighted_ = false;
  std::int64_t unit_ = 1;
};

/// Distinct items of the user's test part, ascending.
std::vector<NodeId> test_items(const Dataset& dataset, NodeId user) {
  const graph::Interactions& part = dataset.split.test;
  const auto [first, last] = std::equal_range(part.user.begin(), part.user.end(), user);
  std::vector<NodeId> items(part.item.begin() + (first - part.user.begin()),
                            part.item.begin() + (last - part.user.begin()));
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items;
}

/// Sentences on why an item leads a user's list, for the first kExplainedUsers users that are asked
/// and have no more than kMostItemsOfExplained rows.
class Reasons {
 public:
  Reasons(const Model& model, Ranking ranking)
      : dataset_(model.dataset()), ranking_(ranking), has_vectors_(model.layout().width() > 0) {
    if (!model.directory().empty()) explainer_.emplace(model);  // else it has no weights to explain
  }
  /// Empty where there is nothing to tell.
  std::string of(NodeId user, NodeId item) {
    if (!explainer_ || num_asked_ >= kExplainedUsers ||
        known_items(dataset_, user).size() > kMostItemsOfExplained)
      return {};
    ++num_asked_;
    try {
      return sentence(
          explainer_->of_user(dataset_.users.raw(user), dataset_.items.raw(item), ranking_),
          dataset_);
    } catch (const InputError&) {
      if (has_vectors_) throw;
      explainer_.reset();  // lists by a filter alone, which has no vectors to explain
      return {};
    }
  }

 private:
  const Dataset& dataset_;
  Ranking ranking_;
  bool has_vectors_;
  std::optional<Explainer> explainer_;
  std::int64_t num_asked_ = 0;
};

class Lookup {
 public:
  Lookup(const Model& model, const LookupOptions& options, Progress& progress)
      : model_(model),
        dataset_(model.dataset()),
        options_(options),
        progress_(progress),
        items_(dataset_),
        room_(items_, words_, options.max_users > 0 ? options.max_bytes / 2 : options.max_bytes) {}

  json facts(ListOptions lists) {
    json facts = {{"neighbours", kLookupNeighbours},
                  {"history", kLookupHistory},
                  {"max_bytes", options_.max_bytes},
                  {"events", dataset_.event_names}};
    AttributeCells cells(dataset_, words_);
    facts["attributes"] = cells.names();
    facts["left_out_attributes"] = cells.left_out();
    json items = item_facts(cells);
    room_.widen(options_.max_bytes - options_.max_bytes / 2);
    if (options_.max_users > 0) {
      lists.k = std::min(lists.k, dataset_.num_items());
      facts["k"] = lists.k;
      facts["ranking"] = enum_name(lists.ranking);
      facts["seen"] = lists.seen_items == SeenItems::automatic ? "" : enum_name(lists.seen_items);
      facts["without_seen"] = leaves_out_seen(dataset_, lists.seen_items);
      facts["users"] = user_facts(lists);
    }
    items.update(items_.columns());
    facts["items"] = std::move(items);
    facts["words"] = words_.all();
    return facts;
  }

 private:
  json item_facts(AttributeCells& cells) {
    const std::vector<NodeId> chosen =
        frequent_and_drawn(dataset_.item_statistics.count, options_.max_items, 105);
    const std::int64_t neighbours = std::min(kLookupNeighbours, dataset_.num_items() - 1);
    std::unique_ptr<ListMaker> near;
    if (!chosen.empty() && model_.layout().embedding_dim > 0 && neighbours > 0)
      near = similar_lists(model_, neighbours, {});
    return fill(near.get(), chosen, dataset_.num_items(), "look-up, items",
                [&](NodeId item, const ListBlock& block, std::int64_t row) {
                  json record = {{"known", items_.place(item)}, {"values", cells.of(item)}};
                  if (near != nullptr) add_list(block, row, "near", "cosine", record);
                  return record;
                });
  }

  json user_facts(const ListOptions& options) {
    const std::vector<NodeId> chosen =
        frequent_and_drawn(dataset_.user_statistics.count, options_.max_users, 106);
    const KnownRows known(dataset_, chosen);
    const auto lists = user_lists(model_, options, {});
    const bool tested = !dataset_.split.test.empty();
    Reasons reasons(model_, options.ranking);
    json facts = fill(lists.get(), chosen, dataset_.num_users(), "look-up, users",
                      [&](NodeId user, const ListBlock& block, std::int64_t row) {
                        json record = {{"id", std::string(dataset_.users.raw(user))}};
                        add_list(block, row, "items", "scores", record);
                        const auto list = listed(block, row);
                        record["why"] = list.empty() ? "" : reasons.of(user, list.front());
                        known.describe(user, items_, record);
                        if (tested) add_test(user, block, row, record);
                        return record;
                      });
    facts["score"] = lists->score();
    if (known.timed()) facts["time_unit"] = known.time_unit();
    return facts;
  }

  void add_list(const ListBlock& block, std::int64_t row, const char* items, const char* scores,
                json& record) {
    record[items] = json::array();
    std::vector<float> values;
    for (const NodeId item : listed(block, row)) {
      record[items].push_back(items_.place(item));
      values.push_back(block.scores(row, static_cast<std::int64_t>(values.size())));
    }
    // The bytes of the numbers, little-endian as on every machine that this runs on.
    record[scores] =
        base64_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  void add_test(NodeId user, const ListBlock& block, std::int64_t row, json& record) const {
    const std::vector<NodeId> test = test_items(dataset_, user);
    record["test"] = test.size();
    record["later"] = json::array();
    const std::span<const NodeId> list = listed(block, row);
    for (std::size_t j = 0; j < list.size(); ++j) {
      if (std::binary_search(test.begin(), test.end(), list[j])) record["later"].push_back(j);
    }
  }

  static std::span<const NodeId> listed(const ListBlock& block, std::int64_t row) {
    const std::span<const NodeId> list(&block.items(row, 0), at(block.items.cols));
    return list.first(at(std::find(list.begin(), list.end(), graph::kNoNode) - list.begin()));
  }

  /// Records `make(owner, block, row)` of the owners that find room, in their order; ends with the
  /// first block of which none does. Without lists the block is empty.
  template <typename Make>
  json fill(ListMaker* lists, std::span<const NodeId> owners, std::int64_t all, const char* what,
            Make make) {
    Columns columns;
    std::int64_t frequent = 0;
    const auto size = static_cast<std::int64_t>(owners.size());
    const std::int64_t step =
        lists == nullptr ? kOwnersAtOnce : std::min(kOwnersAtOnce, lists->block_size());
    for (std::int64_t first = 0; first < size; first += step) {
      stop_if_asked(progress_);
      progress_.update(first, size, what);
      const auto these = owners.subspan(at(first), at(std::min(step, size - first)));
      const ListBlock block = lists == nullptr ? ListBlock{} : lists->make(these);
      const std::int64_t before = columns.size();
      for (std::size_t k = 0; k < these.size(); ++k) {
        const auto row = static_cast<std::int64_t>(k);
        if (!room_.add(columns, make(these[k], block, row))) continue;
        frequent += size == all || (first + row) % 2 == 0;
      }
      if (columns.size() == before) break;
    }
    const std::int64_t shown = columns.size();
    json facts = columns.take();
    facts["all"] = all;
    facts["asked"] = size;
    facts["shown"] = shown;
    facts["frequent"] = frequent;
    return facts;
  }

  const Model& model_;
  const Dataset& dataset_;
  const LookupOptions& options_;
  Progress& progress_;
  ItemTable items_;
  Places<std::string> words_;
  Room room_;
};

}  // namespace

json lookup_facts(const Model& model, const LookupOptions& options, const ListOptions& lists,
                  Progress& progress) {
  if (options.max_items <= 0 && options.max_users <= 0) return {};
  return Lookup(model, options, progress).facts(lists);
}

}  // namespace penchant::pipeline
