// SPDX-License-Identifier: Apache-2.0
#include "graph/user_item_graph.h"

#include "graph/boost_graph.h"
#include "graph/error.h"

#include <boost/iterator/counting_iterator.hpp>
#include <boost/iterator/transform_iterator.hpp>

#include <cmath>

namespace penchant::graph {

namespace {

void finish_weights(Csr& csr, EdgeWeight weight) {
  if (weight == EdgeWeight::ones) {
    csr.values.clear();
  } else if (weight == EdgeWeight::log_sum) {
    for (float& value : csr.values) value = std::log1p(value);
  }
}

}  // namespace

UserItemGraph build_user_item_graph(const TrainingPart& train, std::int64_t num_users,
                                    std::int64_t num_items, const UserItemGraphOptions& options) {
  const Interactions& log = train.interactions;
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    if (log.user[row] < 0 || log.user[row] >= num_users || log.item[row] < 0 ||
        log.item[row] >= num_items) {
      throw InputError("interaction " + std::to_string(row) +
                       " has a user or item id outside the dictionaries");
    }
  }
  UserItemGraph graph;
  graph.num_users = num_users;
  graph.num_items = num_items;
  if (log.empty()) {
    graph.user_items = csr_from_entries(num_users, num_items, {});
    graph.item_users = csr_from_entries(num_items, num_users, {});
    return graph;
  }

  // Boost.Graph: users are the vertices 0 .. U-1, items U .. U+I-1; it groups the edges by user.
  const auto first_item = checked_cast<NodeId>(num_users);
  const auto edge = [&](std::size_t row) {
    return std::pair<NodeId, NodeId>(log.user[row], log.item[row] + first_item);
  };
  const auto weight = [&](std::size_t row) {
    return WeightedEdge{log.weight.empty() ? 1.0F : log.weight[row]};
  };
  const boost::counting_iterator<std::size_t> first(0);
  const boost::counting_iterator<std::size_t> last(log.user.size());
  BoostGraph boost_graph(
      boost::edges_are_unsorted_multi_pass, boost::make_transform_iterator(first, edge),
      boost::make_transform_iterator(last, edge), boost::make_transform_iterator(first, weight),
      checked_cast<NodeId>(num_users + num_items));
  const Csr by_user = take_csr(std::move(boost_graph), num_users, num_items, first_item);

  // Transposing sorts: rows are visited in ascending order, so columns of the result ascend and
  // repeats are neighbours.
  graph.item_users = transpose(by_user.view());
  merge_duplicates(graph.item_users,
                   options.weight == EdgeWeight::maximum ? Duplicates::maximum : Duplicates::sum);
  finish_weights(graph.item_users, options.weight);
  graph.user_items = transpose(graph.item_users.view());
  return graph;
}

}  // namespace penchant::graph
