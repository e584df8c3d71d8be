// SPDX-License-Identifier: Apache-2.0
// Relations between items: shared attribute values (through hub nodes, never cliques) and
// co-occurrence in a basket, session or window of a user's sequence (top K neighbours of an item).
// Each relation keeps its own matrix and weight.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graph/catalog.h"
#include "graph/csr.h"
#include "graph/enum_names.h"
#include "graph/interactions.h"
#include "graph/relation.h"

namespace penchant::graph {

/// raw: number of co-occurrences. cosine: raw / sqrt(count_i count_j). pmi: max(0, log(raw * total
/// / (count_i count_j))).
enum class CooccurrenceWeight { raw, cosine, pmi };
constexpr auto enum_words(CooccurrenceWeight) {
  return std::to_array<EnumWord<CooccurrenceWeight>>({{CooccurrenceWeight::raw, "raw"},
                    {CooccurrenceWeight::cosine, "cosine"}, {CooccurrenceWeight::pmi, "pmi"}});
}
/// session: rows of a user that share `session`. window: rows of a user at most `window` places
/// apart, each pair weighted 1 / distance.
enum class CooccurrenceScope { session, window };
constexpr auto enum_words(CooccurrenceScope) {
  return std::to_array<EnumWord<CooccurrenceScope>>({{CooccurrenceScope::session, "session"},
                    {CooccurrenceScope::window, "window"}});
}

struct CooccurrenceOptions {
  CooccurrenceScope scope = CooccurrenceScope::window;
  CooccurrenceWeight weight = CooccurrenceWeight::cosine;
  std::int64_t window = 3;
  std::int64_t top_k = 20;  ///< neighbours kept per item, strongest first, ties by lower id; then
                            ///< made symmetric (union)
  std::int64_t max_basket =
      200;  ///< larger baskets are cut to windows of this size, so the work stays linear
};

/// Item x item matrix, symmetric, zero diagonal. Weights as said above.
Csr build_cooccurrence(const TrainingPart& train, std::int64_t num_items,
                       const CooccurrenceOptions& options);

/// Relations whose rows are items: [I x I], or [I x num_hubs] with one hub per attribute value.
struct ItemGraph {
  std::int64_t num_items = 0;
  std::vector<Relation> relations;
};

struct ItemGraphOptions {
  bool cooccurrence = true;
  CooccurrenceOptions cooccurrence_options;
  float cooccurrence_weight = 1.0F;
  /// Attribute names that become relations; empty and `all_attributes`: every categorical and list
  /// attribute.
  std::vector<std::string> attributes;
  bool all_attributes = true;
  float attribute_weight = 1.0F;
  /// Values carried by one item only, or by more than this share of the catalogue, tell nothing and
  /// get no hub.
  double max_value_share = 0.5;
};

ItemGraph build_item_graph(const TrainingPart& train, const Catalog& catalog,
                           const ItemGraphOptions& options);

}  // namespace penchant::graph
