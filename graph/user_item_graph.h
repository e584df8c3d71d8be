// SPDX-License-Identifier: Apache-2.0
// The bipartite graph of users and items, from training interactions only. Boost.Graph groups the
// edges by user (inside the .cc); two transposes sort them and merge repeats.
#pragma once

#include <array>

#include "graph/enum_names.h"
#include "graph/csr.h"
#include "graph/interactions.h"

namespace penchant::graph {

/// How repeated (user, item) rows combine into one edge.
enum class EdgeWeight { ones, sum, log_sum, maximum };
constexpr auto enum_words(EdgeWeight) {
  return std::to_array<EnumWord<EdgeWeight>>({{EdgeWeight::ones, "ones"}, {EdgeWeight::sum, "sum"},
                    {EdgeWeight::log_sum, "log_sum"}, {EdgeWeight::maximum, "maximum"}});
}

struct UserItemGraphOptions {
  EdgeWeight weight = EdgeWeight::ones;
};

struct UserItemGraph {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  Csr user_items;  ///< [U x I]
  Csr item_users;  ///< [I x U], its transpose
};

UserItemGraph build_user_item_graph(const TrainingPart& train, std::int64_t num_users,
                                    std::int64_t num_items,
                                    const UserItemGraphOptions& options = {});

}  // namespace penchant::graph
