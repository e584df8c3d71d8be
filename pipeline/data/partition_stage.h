// SPDX-License-Identifier: Apache-2.0
// X.data -> X.data/partition: parts and node order of the propagation graph, an artefact of its own
// (kind "partition") that names the hash of the data it was made from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "partition/partition.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/graph_stage.h"

namespace penchant::pipeline {

/// The options for a data set: no more parts than it has users and items, with a warning.
partition::PartitionOptions fitted(partition::PartitionOptions options, const Dataset& dataset,
                                   Progress& progress);

struct PartitionReport {
  partition::Method method;
  partition::Quality quality;
  double seconds;
};
/// As the manifest and `penchant partition --json` say it.
nlohmann::json to_json(const PartitionReport& report);

/// Partitions the propagation graph's nodes by `options.method` and by the three baselines; writes
/// parts.npy, order.npy and the comparison to X.data/partition. The first report is that of
/// options.method. Warns where its parts stay empty or miss the balance.
std::vector<PartitionReport> partition_graphs(const std::filesystem::path& data_directory,
                                              const Dataset& dataset, const Graphs& graphs,
                                              const partition::PartitionOptions& options,
                                              Progress& progress, const std::string& stamp = "");
/// The node order of X.data/partition if it is of this data set, these graphs and these options,
/// else that of a partition made now, which is stored if possible.
std::vector<graph::NodeId> load_or_make_order(const std::filesystem::path& data_directory,
                                              const Dataset& dataset, const Graphs& graphs,
                                              const partition::PartitionOptions& options,
                                              Progress& progress);
/// The order of a partition that is made now, and nothing beside it.
std::vector<graph::NodeId> make_order(const Graphs& graphs,
                                      const partition::PartitionOptions& options);

}  // namespace penchant::pipeline
