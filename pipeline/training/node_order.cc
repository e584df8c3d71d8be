// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/node_order.h"

#include <numeric>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/normalize.h"
#include "pipeline/data/partition_stage.h"

namespace penchant::pipeline {

using graph::NodeId;

bool follows_partition(const TrainOptions& options) {
  return options.node_order == NodeOrder::metis &&
         options.model.kind != models::ModelKind::graph_filter &&
         options.model.kind != models::ModelKind::interest;
}

void load_metis_order(const std::filesystem::path& data, const Dataset& dataset,
                      const Graphs& graphs, const partition::PartitionOptions& partition,
                      TrainOptions& options, Progress& progress) {
  // The order is over users, items and hubs of the training graph; a refit has the same nodes.
  if (follows_partition(options)) {
    options.metis_order =
        load_or_make_order(data, dataset, graphs, fitted(partition, dataset, progress), progress);
  }
}

std::vector<NodeId> node_order(const graph::Csr& adjacency, const TrainOptions& options) {
  if (options.node_order == NodeOrder::degree) return graph::degree_order(adjacency.view());
  if (options.node_order == NodeOrder::metis) {
    const auto ordered = static_cast<std::int64_t>(options.metis_order.size());
    if (ordered != adjacency.num_rows) {
      throw InputError(
          fmt::format("train.node_order is metis, but the partition has {} nodes and the graph {}",
                      ordered, adjacency.num_rows));
    }
    return options.metis_order;
  }
  std::vector<NodeId> order(static_cast<std::size_t>(adjacency.num_rows));
  std::iota(order.begin(), order.end(), NodeId{0});
  return order;
}

}  // namespace penchant::pipeline
