// SPDX-License-Identifier: Apache-2.0
// Relations: weighted edges between nodes of two kinds. User-item interactions, attributes of items
// and co-occurrence are three of them; a social graph (user-user) or neighbours by vectors
// (item-item) are others. The propagation graph is made from a list of them (propagation_graph.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/enum_names.h"

namespace penchant::graph {

/// hub: a node that stands for something users or items share, such as an attribute's value. Hubs
/// belong to one relation and are its columns.
enum class NodeKind { user, item, hub };
constexpr auto enum_words(NodeKind) {
  return std::to_array<EnumWord<NodeKind>>(
      {{NodeKind::user, "user"}, {NodeKind::item, "item"}, {NodeKind::hub, "hub"}});
}

struct NodeCounts {
  std::int64_t users = 0;
  std::int64_t items = 0;
};

/// What propagation needs to know of a relation.
struct RelationView {
  NodeKind rows = NodeKind::item;
  NodeKind columns = NodeKind::item;
  CsrView edges;  ///< [rows x columns]; symmetric where both ends are of one kind
  float weight = 1.0F;
};

struct Relation {
  std::string name = {};  ///< "co-occurrence", or the attribute's name
  NodeKind rows = NodeKind::item;
  NodeKind columns = NodeKind::item;
  float weight = 1.0F;        ///< of the relation in propagation
  std::int64_t num_hubs = 0;  ///< columns of `edges` where these are hubs
  /// Of an attribute: which of its values (Attribute::values) each hub stands for, ascending. Hubs
  /// come and go with the number of their carriers, the id of a value stays.
  std::vector<NodeId> hub_values = {};
  bool of_vectors = false;  ///< an attribute whose values are landmarks (ContentSpace)
  Csr edges = {};

  RelationView view() const { return {rows, columns, edges.view(), weight}; }
};

}  // namespace penchant::graph
