// SPDX-License-Identifier: Apache-2.0
// The last step of a graph encoder, divided among the neighbours that it took from. With E the
// learned embeddings, A the adjacency and v any vector, the encoder's output e_n of a node has
//   lightgcn       <e_n, v> = (w <E_n, v> + sum_j a_nj <h_j, v>) / (L + w),  h = sum_(l<L) A^l E
//   gcn            <e_n, v> = <b, v> + sum_j a_nj <h_j W, v>                 h: the layer before
//   node_weighted  <e_n, v> = <b, v> + sum_j a_nj alpha_j <h_j, v>
// which is exact: the last layer of each is linear (models/lightgcn.h, models/gcn.h). What one
// vector is asked about is a number a node, so LightGCN's layers propagate numbers, not embeddings:
// E v is read off the mapped weights, and A^l (E v) costs one pass over the edges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/catalog.h"
#include "graph/ids.h"
#include "graph/relation.h"
#include "kernels/backend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

/// <e_n, v> of one node by where it comes from.
struct Hop {
  struct Message {
    std::int64_t node;  ///< of the propagation graph
    double share;
  };
  std::vector<Message> neighbours;
  double own = 0.0;       ///< of what was learned for the node itself
  double constant = 0.0;  ///< of the bias
  double total() const;
};

class EncoderHops {
 public:
  /// Of the model's weights over the graphs that it was trained on. Throws InputError for weights
  /// that are damaged or not those of the graphs.
  EncoderHops(const std::filesystem::path& model_directory, const nlohmann::json& manifest,
              const Dataset& dataset, const GraphOptions& options, KnownPart known,
              kernels::Backend& backend);
  ~EncoderHops();

  /// <., v> of what each node sends, and of its own embedding; v [D].
  struct Projection {
    std::vector<double> sent, own;  ///< [N]
    double constant = 0.0;
  };
  Projection project(std::span<const float> v) const;
  Hop hop(std::int64_t node, const Projection& projection) const;

  std::int64_t user_node(graph::NodeId user) const { return user; }
  std::int64_t item_node(graph::NodeId item) const;
  /// Whether the graph has a link of the user and an item, or of the item and a user.
  bool has_links(graph::NodeId user) const;
  bool has_users(graph::NodeId item) const;
  /// Whether outputs have length 1 in the model's vectors.
  bool normalizes() const;

  /// What a node is: a user, an item, or the attribute value that a hub stands for.
  struct Node {
    graph::NodeKind kind = graph::NodeKind::user;
    graph::NodeId id = graph::kNoNode;      ///< of users and items
    std::string relation = {}, value = {};  ///< of hubs: names of the attribute and the value
  };
  Node what_is(std::int64_t node) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
