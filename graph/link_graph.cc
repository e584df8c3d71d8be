// SPDX-License-Identifier: Apache-2.0
#include "graph/link_graph.h"

#include <algorithm>
#include <vector>

#include "graph/error.h"

namespace penchant::graph {

UserItemGraph link_users_and_items(std::span<const PartRows> parts, std::int64_t num_users,
                                   std::int64_t num_items) {
  std::size_t num_rows = 0;
  for (const PartRows& part : parts) {
    num_rows += part.users.size();
    const auto inside = [](std::span<const NodeId> ids, std::int64_t size) {
      return std::all_of(ids.begin(), ids.end(), [&](NodeId id) { return id >= 0 && id < size; });
    };
    if (part.items.size() != part.users.size() || !inside(part.users, num_users) ||
        !inside(part.items, num_items) || !std::is_sorted(part.users.begin(), part.users.end()))
      throw InputError("rows that are not sorted by user, or have ids outside the dictionaries");
  }
  UserItemGraph graph;
  graph.num_users = num_users;
  graph.num_items = num_items;
  Csr& links = graph.user_items;
  links.num_rows = num_users;
  links.num_cols = num_items;
  links.offsets = {0};
  links.offsets.reserve(static_cast<std::size_t>(num_users) + 1);
  links.columns.reserve(num_rows);
  std::vector<std::size_t> next(parts.size(), 0);
  for (NodeId user = 0; user < num_users; ++user) {
    const auto first = links.columns.end() - links.columns.begin();
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const PartRows& part = parts[p];
      while (next[p] < part.users.size() && part.users[next[p]] == user)
        links.columns.push_back(part.items[next[p]++]);
    }
    const auto own = links.columns.begin() + first;
    if (!std::is_sorted(own, links.columns.end())) std::sort(own, links.columns.end());
    links.columns.erase(std::unique(own, links.columns.end()), links.columns.end());
    links.offsets.push_back(static_cast<EdgeOffset>(links.columns.size()));
  }
  graph.item_users = transpose(links.view());
  return graph;
}

}  // namespace penchant::graph
