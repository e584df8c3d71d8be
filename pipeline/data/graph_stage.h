// SPDX-License-Identifier: Apache-2.0
// X.data -> X.data/graph: both graphs as .npy CSR arrays with their statistics, an artefact of its
// own (kind "graph") that names the hash of the data it was built from.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/item_graph.h"
#include "graph/propagation_graph.h"
#include "graph/user_item_graph.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/data/store.h"

namespace penchant::pipeline {

struct GraphOptions {
  graph::UserItemGraphOptions user_item;
  graph::ItemGraphOptions item;
  /// Of every kind of links between users in propagation; none: chosen on the validation part when
  /// a model is trained, which then has `link_weights`.
  std::optional<float> link_weight = {};
  std::map<std::string, float> link_weights = {};  ///< by the name of the kind

  /// Of one kind; 0 where nothing is chosen yet.
  float weight_of_links(const std::string& name) const;
};

struct Graphs {
  GraphOptions options;  ///< they were built with
  graph::UserItemGraph user_item;
  graph::ItemGraph item;
  std::vector<graph::Relation> links;  ///< between users, those with a weight
  std::string statistics_json;         ///< what `penchant graph --json` prints
};

/// The options as JSON, for manifests, and back. Those of the artefact "graph" leave links between
/// users out, whose weights are a model's.
nlohmann::json graph_options_to_json(const GraphOptions& options);
nlohmann::json stored_graph_options(const GraphOptions& options);
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

/// The links between users of a data set, those that have a weight, as relations.
std::vector<graph::Relation> make_link_relations(const Dataset& dataset,
                                                 const GraphOptions& options);
/// The adjacency that vectors are propagated over.
graph::PropagationGraph propagation_graph(const Graphs& graphs);

/// The same graphs with repeated rows weighed in another way; `known` is what they are of.
Graphs weighed(const Graphs& graphs, graph::EdgeWeight weight, const Dataset& dataset,
               KnownPart known);

/// Builds, writes X.data/graph (with statistics) and returns both graphs. `stamp`: what `penchant
/// run` made them from (artifact.h).
Graphs build_graphs(const std::filesystem::path& data_directory, const Dataset& dataset,
                    const GraphOptions& options, Progress& progress,
                    Storing storing = Storing::required, const std::string& stamp = "");
/// Reads X.data/graph if it was built from this data set with these options, else builds it and
/// stores it if possible.
Graphs load_or_build_graphs(const std::filesystem::path& data_directory, const Dataset& dataset,
                            const GraphOptions& options, Progress& progress);

}  // namespace penchant::pipeline
