// SPDX-License-Identifier: Apache-2.0
// The order in which training holds the nodes of the propagation graph in memory.
#pragma once

#include <filesystem>
#include <vector>

#include "partition/partition.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

/// Whether training goes by a partition: some kinds of model know no node order.
bool follows_partition(const TrainOptions& options);
/// Sets options.metis_order where training follows a partition: that of X.data/partition, made
/// there if it is missing.
void load_metis_order(const std::filesystem::path& data, const Dataset& dataset,
                      const Graphs& graphs, const partition::PartitionOptions& partition,
                      TrainOptions& options, Progress& progress);

/// order[new] = old. Throws InputError if options.metis_order is of another graph.
std::vector<graph::NodeId> node_order(const graph::Csr& adjacency, const TrainOptions& options);

}  // namespace penchant::pipeline
