// SPDX-License-Identifier: Apache-2.0
// X.data -> X.data/graph: both graphs as .npy CSR arrays with their statistics, and
// X.data/partition: parts and node order. Both are artefacts of their own (kind "graph",
// "partition") that name the hash of the data they were built from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/item_graph.h"
#include "graph/user_item_graph.h"
#include "partition/partition.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

struct GraphOptions {
  graph::UserItemGraphOptions user_item;
  graph::ItemGraphOptions item;
};

struct Graphs {
  GraphOptions options;  ///< they were built with
  graph::UserItemGraph user_item;
  graph::ItemGraph item;
  std::string statistics_json;  ///< what `penchant graph --json` prints
};

/// The options as JSON, for manifests, and back.
nlohmann::json graph_options_to_json(const GraphOptions& options);
GraphOptions graph_options_from_json(const nlohmann::json& json);

/// The graph of users and items alone. Throws InputError when no edge is left.
graph::UserItemGraph make_user_item_graph(const graph::TrainingPart& train, const Dataset& dataset,
                                          const GraphOptions& options);
/// The same of what is known. Of a data set read for look-ups, no more is read than it needs.
graph::UserItemGraph make_known_links(const Dataset& dataset, KnownPart known,
                                      const GraphOptions& options);
/// Both graphs in memory, without statistics. Throws InputError when no edge is left.
Graphs make_graphs(const graph::TrainingPart& train, const Dataset& dataset,
                   const GraphOptions& options);

/// What a stage does with its result where X.data cannot be written, or another process is writing
/// the same: an error, or a warning, and the result is used from memory.
enum class Storing { required, if_possible };

/// Builds, writes X.data/graph (with statistics) and returns both graphs. `stamp`: what `penchant
/// run` made them from (artifact.h).
Graphs build_graphs(const std::filesystem::path& data_directory, const Dataset& dataset,
                    const GraphOptions& options, Progress& progress,
                    Storing storing = Storing::required, const std::string& stamp = "");
/// Reads X.data/graph if it was built from this data set with these options, else builds it and
/// stores it if possible.
Graphs load_or_build_graphs(const std::filesystem::path& data_directory, const Dataset& dataset,
                            const GraphOptions& options, Progress& progress);

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

}  // namespace penchant::pipeline
