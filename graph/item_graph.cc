// SPDX-License-Identifier: Apache-2.0
// Co-occurrence is counted row by row: for each occurrence of an item its neighbours in the log are
// added to a dense accumulator, so that memory is O(I) a thread and work O(E * window), whatever
// the number of distinct pairs.
#include "graph/item_graph.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/parallel.h"

namespace penchant::graph {

namespace {

/// Of a relation, whose entries are multiplied by it in float32.
constexpr double kLargestWeight = 1e6;

/// Log rows in the order in which neighbours are looked for, cut into groups within which rows may
/// co-occur.
struct Sequence {
  std::vector<NodeId> item;         ///< per place
  std::vector<std::int64_t> group;  ///< per place; places of one group are adjacent
};

Sequence order_by_scope(const Interactions& log, const CooccurrenceOptions& options) {
  Sequence sequence;
  if (options.scope == CooccurrenceScope::window) {
    sequence.item = log.item;
    sequence.group.assign(log.user.begin(), log.user.end());
    return sequence;
  }
  if (log.empty()) return sequence;
  if (log.session.empty()) {
    throw InputError(
        "graph: co-occurrence within sessions needs a session column, and the log has none; use "
        "scope 'window'");
  }
  // Counting sort by session; rows without a session are left out. It keeps the order of users, so
  // that the rows of one are a basket: shops number sessions a user as often as all of them.
  // Baskets longer than max_basket are cut into blocks.
  const auto [least, most] = std::minmax_element(log.session.begin(), log.session.end());
  if (*least < kNoNode)
    throw InputError(fmt::format("graph: session {}, expected 0 or more", *least));
  const std::int64_t num_sessions = std::int64_t{*most} + 1;
  std::vector<std::int64_t> next(at(num_sessions) + 1, 0);
  std::int64_t num_places = 0;
  for (const NodeId session : log.session) {
    if (session != kNoNode) {
      ++next[at(session) + 1];
      ++num_places;
    }
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<NodeId> user(at(num_sessions), kNoNode);   // of the session's last basket
  std::vector<std::int64_t> start(at(num_sessions), 0);  // where that begins
  sequence.item.resize(at(num_places));
  sequence.group.resize(at(num_places));
  for (std::size_t row = 0; row < log.session.size(); ++row) {
    const NodeId session = log.session[row];
    if (session == kNoNode) continue;
    const std::int64_t place = next[at(session)]++;
    sequence.item[at(place)] = log.item[row];
    if (user[at(session)] != log.user[row]) {
      user[at(session)] = log.user[row];
      start[at(session)] = place;
    }
    sequence.group[at(place)] =
        start[at(session)] + (place - start[at(session)]) / options.max_basket;
  }
  return sequence;
}

float pair_weight(CooccurrenceWeight kind, double raw, double count_i, double count_j,
                  double total) {
  switch (kind) {
    case CooccurrenceWeight::raw:
      return static_cast<float>(raw);
    case CooccurrenceWeight::cosine:
      return static_cast<float>(raw / std::sqrt(count_i * count_j));
    case CooccurrenceWeight::pmi:
      return static_cast<float>(std::max(0.0, std::log(raw * total / (count_i * count_j))));
  }
  return 0.0F;
}

/// The strongest neighbours of each item [I x I], columns ascending.
Csr strongest_neighbours(const TrainingPart& train, std::int64_t num_items,
                         const CooccurrenceOptions& options) {
  Sequence sequence = order_by_scope(train.interactions, options);
  const auto num_places = static_cast<std::int64_t>(sequence.item.size());
  const bool windowed = options.scope == CooccurrenceScope::window;
  // No more than all places: the largest window must not overflow.
  const std::int64_t reach = std::min(windowed ? options.window : options.max_basket, num_places);

  // Places of each item.
  std::vector<std::int64_t> starts(at(num_items) + 1, 0);
  for (const NodeId item : sequence.item) {
    if (item < 0 || item >= num_items)
      throw InputError(fmt::format("graph: item {}, expected 0 to {}", item, num_items - 1));
    ++starts[at(item) + 1];
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::int64_t> places(at(num_places));
  {
    std::vector<std::int64_t> next(starts.begin(), starts.end() - 1);
    for (std::int64_t place = 0; place < num_places; ++place)
      places[at(next[at(sequence.item[at(place)])]++)] = place;
  }
  const auto count_of = [&](NodeId item) {
    return static_cast<double>(starts[at(item) + 1] - starts[at(item)]);
  };

  std::vector<std::vector<std::pair<NodeId, float>>> kept(at(num_items));
  parallel_for(num_items, 256, [&](const Share& items) {
    std::vector<double> raw(at(num_items), 0.0);
    std::vector<NodeId> touched;
    std::vector<std::pair<NodeId, float>> scored;
    for (const std::int64_t item : items) {
      const auto self = static_cast<NodeId>(item);
      const auto visit = [&](std::int64_t place, std::int64_t other) {
        const NodeId neighbour = sequence.item[at(other)];
        if (neighbour == self) return;
        double& sum = raw[at(neighbour)];
        if (sum == 0.0) touched.push_back(neighbour);
        sum += windowed ? 1.0 / static_cast<double>(std::abs(other - place)) : 1.0;
      };
      for (std::int64_t k = starts[at(item)]; k < starts[at(item) + 1]; ++k) {
        const std::int64_t place = places[at(k)];
        const std::int64_t group = sequence.group[at(place)];
        for (std::int64_t other = place - 1; other >= std::max<std::int64_t>(0, place - reach);
             --other) {
          if (sequence.group[at(other)] != group) break;
          visit(place, other);
        }
        for (std::int64_t other = place + 1; other <= std::min(num_places - 1, place + reach);
             ++other) {
          if (sequence.group[at(other)] != group) break;
          visit(place, other);
        }
      }
      scored.clear();
      for (const NodeId neighbour : touched) {
        const float weight = pair_weight(options.weight, raw[at(neighbour)], count_of(self),
                                         count_of(neighbour), static_cast<double>(num_places));
        if (weight > 0.0F) scored.emplace_back(neighbour, weight);
        raw[at(neighbour)] = 0.0;
      }
      touched.clear();
      const auto stronger = [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
      };
      const std::size_t keep = std::min(scored.size(), at(options.top_k));
      std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(keep),
                        scored.end(), stronger);
      scored.resize(keep);
      std::sort(scored.begin(), scored.end());
      kept[at(item)].assign(scored.begin(), scored.end());
    }
  });

  sequence = {};
  std::vector<std::int64_t>().swap(places);

  Csr strongest{num_items, num_items, {0}, {}, {}};
  std::size_t num_kept = 0;
  for (const auto& neighbours : kept) num_kept += neighbours.size();
  strongest.columns.reserve(num_kept);
  strongest.values.reserve(num_kept);
  for (auto& neighbours : kept) {
    for (const auto& [neighbour, weight] : neighbours) {
      strongest.columns.push_back(neighbour);
      strongest.values.push_back(weight);
    }
    strongest.offsets.push_back(static_cast<EdgeOffset>(strongest.columns.size()));
    std::vector<std::pair<NodeId, float>>().swap(neighbours);
  }
  return strongest;
}

/// Union of both directions; the two weights of a pair agree but for the order of a sum, so the
/// larger is taken for both. Entries are put where they belong without a transposed copy: the two
/// together are the largest thing that graphs of large catalogues are made of.
Csr union_with_transpose(const Csr& one) {
  const CsrView rows = one.view();
  // The entry's place in the other direction, or none.
  const auto opposite = [&](std::int64_t row, NodeId column) -> std::optional<std::size_t> {
    const auto back = rows.row(column);
    const auto found = std::lower_bound(back.begin(), back.end(), static_cast<NodeId>(row));
    if (found == back.end() || *found != row) return std::nullopt;
    return at(one.offsets[at(column)] + (found - back.begin()));
  };
  const auto for_each_entry = [&](auto visit) {
    for (std::int64_t row = 0; row < one.num_rows; ++row) {
      for (EdgeOffset e = one.offsets[at(row)]; e < one.offsets[at(row) + 1]; ++e)
        visit(row, one.columns[at(e)], one.values[at(e)], opposite(row, one.columns[at(e)]));
    }
  };
  Csr both{one.num_rows, one.num_cols, std::vector<EdgeOffset>(at(one.num_rows) + 1, 0), {}, {}};
  for_each_entry([&](std::int64_t row, NodeId column, float, const auto& back) {
    ++both.offsets[at(row) + 1];
    if (!back) ++both.offsets[at(column) + 1];
  });
  std::partial_sum(both.offsets.begin(), both.offsets.end(), both.offsets.begin());
  both.columns.resize(at(both.offsets.back()));
  both.values.resize(at(both.offsets.back()));
  std::vector<EdgeOffset> next(both.offsets.begin(), both.offsets.end() - 1);
  std::vector<std::pair<NodeId, float>> sorted;
  for_each_entry([&](std::int64_t row, NodeId column, float weight, const auto& back) {
    const auto put = [&](std::int64_t to, NodeId other, float value) {
      const std::size_t place = at(next[at(to)]++);
      both.columns[place] = other;
      both.values[place] = value;
    };
    put(row, column, back ? std::max(weight, one.values[*back]) : weight);
    if (!back) put(column, static_cast<NodeId>(row), weight);
  });
  for (std::int64_t row = 0; row < both.num_rows; ++row) {
    const std::size_t first = at(both.offsets[at(row)]), last = at(both.offsets[at(row) + 1]);
    sorted.clear();
    for (std::size_t e = first; e < last; ++e) sorted.emplace_back(both.columns[e], both.values[e]);
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t e = first; e < last; ++e)
      std::tie(both.columns[e], both.values[e]) = sorted[e - first];
  }
  return both;
}

}  // namespace

Csr build_cooccurrence(const TrainingPart& train, std::int64_t num_items,
                       const CooccurrenceOptions& options) {
  if (options.window < 1 || options.top_k < 1 || options.max_basket < 2) {
    throw InputError("graph: co-occurrence needs window >= 1, top_k >= 1 and max_basket >= 2");
  }
  return union_with_transpose(strongest_neighbours(train, num_items, options));
}

namespace {

/// Attribute values as hubs: those carried by one item, or by too large a share of the catalogue,
/// are dropped.
Relation attribute_relation(const Attribute& attribute, std::int64_t num_items,
                            const ItemGraphOptions& options) {
  const Csr& item_values = attribute.item_values;
  std::vector<std::int64_t> carriers(at(item_values.num_cols), 0);
  for (const NodeId value : item_values.columns) ++carriers[at(value)];
  std::vector<NodeId> hub(carriers.size(), kNoNode);
  Relation relation{.name = attribute.name,
                    .columns = NodeKind::hub,
                    .weight = options.attribute_weight,
                    .of_vectors = attribute.content.width > 0};
  for (std::size_t value = 0; value < carriers.size(); ++value) {
    const double share = static_cast<double>(carriers[value]) / static_cast<double>(num_items);
    if (carriers[value] < 2 || share > options.max_value_share) continue;
    hub[value] = static_cast<NodeId>(relation.num_hubs++);
    relation.hub_values.push_back(static_cast<NodeId>(value));
  }
  relation.edges.num_rows = num_items;
  relation.edges.num_cols = relation.num_hubs;
  relation.edges.offsets.reserve(at(num_items) + 1);
  for (std::int64_t item = 0; item < num_items; ++item) {
    for (const NodeId value : item_values.view().row(item)) {
      if (hub[at(value)] != kNoNode) relation.edges.columns.push_back(hub[at(value)]);
    }
    relation.edges.offsets.push_back(static_cast<EdgeOffset>(relation.edges.columns.size()));
  }
  return relation;
}

}  // namespace

ItemGraph build_item_graph(const TrainingPart& train, const Catalog& catalog,
                           const ItemGraphOptions& options) {
  const auto require = [](const char* name, double value, double most) {
    if (!(value >= 0.0 && value <= most))  // nor NaN
      throw InputError(fmt::format("graph: {} is {}, expected 0 to {:g}", name, value, most));
  };
  require("cooccurrence_weight", options.cooccurrence_weight, kLargestWeight);
  require("attribute_weight", options.attribute_weight, kLargestWeight);
  require("max_value_share", options.max_value_share, 1.0);
  ItemGraph graph;
  graph.num_items = catalog.num_items;
  if (options.cooccurrence) {
    Relation relation{
        .name = "co-occurrence",
        .weight = options.cooccurrence_weight,
        .edges = build_cooccurrence(train, catalog.num_items, options.cooccurrence_options)};
    if (!relation.edges.columns.empty()) graph.relations.push_back(std::move(relation));
  }
  for (const std::string& name : options.attributes) {
    const Attribute* attribute = catalog.find(name);
    if (attribute == nullptr)
      throw InputError(fmt::format("graph: the catalogue has no attribute '{}'", name));
    if (attribute->kind != AttributeKind::categorical && attribute->kind != AttributeKind::list) {
      throw InputError(
          fmt::format("graph: attribute '{}' is numeric or text; a relation needs a categorical or "
                      "list attribute",
                      name));
    }
  }
  for (const Attribute& attribute : catalog.attributes) {
    const bool relational =
        attribute.kind == AttributeKind::categorical || attribute.kind == AttributeKind::list;
    const bool named = std::find(options.attributes.begin(), options.attributes.end(),
                                 attribute.name) != options.attributes.end();
    if (!relational || !(named || (options.all_attributes && options.attributes.empty()))) continue;
    Relation relation = attribute_relation(attribute, catalog.num_items, options);
    if (relation.num_hubs > 0) graph.relations.push_back(std::move(relation));
  }
  return graph;
}

}  // namespace penchant::graph
