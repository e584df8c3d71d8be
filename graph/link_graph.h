// SPDX-License-Identifier: Apache-2.0
// The graph of users and items of rows that are in order already, for who needs it once: a look-up.
#pragma once

#include <cstdint>
#include <span>

#include "graph/user_item_graph.h"

namespace penchant::graph {

/// Columns of a part of the log.
struct PartRows {
  std::span<const NodeId> users;
  std::span<const NodeId> items;
};

/// What build_user_item_graph() gives for all rows together with EdgeWeight::ones, without a copy
/// of them. Throws InputError where a part is not sorted by user, or has an id outside.
UserItemGraph link_users_and_items(std::span<const PartRows> parts, std::int64_t num_users,
                                   std::int64_t num_items);

}  // namespace penchant::graph
