// SPDX-License-Identifier: Apache-2.0
#include "graph/user_links.h"

#include <vector>

#include "graph/degrees.h"
#include "graph/error.h"

namespace penchant::graph {

namespace {

template <typename Visit>
void for_each_link(const CsrView& links, Visit visit) {
  for (std::int64_t row = 0; row < links.num_rows; ++row) {
    for (EdgeOffset e = links.offsets[at(row)]; e < links.offsets[at(row) + 1]; ++e)
      visit(static_cast<NodeId>(row), links.columns[at(e)], links.value(e));
  }
}

}  // namespace

Relation relation_of(const UserLinks& links, float weight) {
  Relation relation{
      .name = links.name, .rows = NodeKind::user, .columns = NodeKind::user, .weight = weight};
  if (!links.directed) {
    relation.edges = links.links;
    return relation;
  }
  std::vector<Entry> entries;
  for_each_link(links.links.view(), [&](NodeId from, NodeId to, float value) {
    entries.push_back({from, to, value});
    entries.push_back({to, from, value});
  });
  relation.edges =
      csr_from_entries(links.links.num_rows, links.links.num_cols, entries, Duplicates::maximum);
  return relation;
}

Csr joined_links(std::span<const UserLinks> links, std::span<const float> weights,
                 std::int64_t num_users) {
  PENCHANT_ASSERT(links.size() == weights.size());
  std::vector<Entry> entries;
  for (std::size_t r = 0; r < links.size(); ++r) {
    if (weights[r] == 0.0F) continue;
    const CsrView matrix = links[r].links.view();
    const std::vector<float> row_scale = inverse_roots(row_sums(matrix));
    const std::vector<float> column_scale = inverse_roots(column_sums(matrix));
    for_each_link(matrix, [&](NodeId from, NodeId to, float value) {
      entries.push_back(
          {from, to, weights[r] * (value * (row_scale[at(from)] * column_scale[at(to)]))});
    });
  }
  return csr_from_entries(num_users, num_users, entries);
}

UserLinks renumbered(const UserLinks& links, std::span<const NodeId> ids, std::int64_t num_users) {
  std::vector<Entry> entries;
  for_each_link(links.links.view(), [&](NodeId from, NodeId to, float value) {
    if (ids[at(from)] != kNoNode && ids[at(to)] != kNoNode)
      entries.push_back({ids[at(from)], ids[at(to)], value});
  });
  return {links.name, links.directed, csr_from_entries(num_users, num_users, entries)};
}

}  // namespace penchant::graph
