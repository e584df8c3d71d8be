// SPDX-License-Identifier: Apache-2.0
// Training that goes on from an earlier model of a data set that has grown since: which rows of its
// tables the nodes of today had, and where nodes that it did not know start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/ids.h"
#include "graph/item_graph.h"
#include "kernels/backend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/model/calibration.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// The earlier row of each user, item and hub of today; graph::kNoNode: it had none.
struct NodeRows {
  std::vector<graph::NodeId> users, items, hubs;
  std::int64_t num_users = 0, num_items = 0, num_hubs = 0;  ///< of then
};

/// Of a data set whose first `num_users` and `num_items` are those of then. A hub is known by its
/// attribute and value; which ones there were is told by the first items, and where that is not the
/// number that the earlier model has, since attributes of these were filled in, nothing is known of
/// any (no_hubs).
NodeRows rows_of_grown(const Dataset& now, const graph::ItemGraph& item_graph,
                       const graph::ItemGraphOptions& options, std::int64_t num_users,
                       std::int64_t num_items);
void no_hubs(NodeRows& rows, std::int64_t num_hubs);

/// What a training starts from.
struct WarmStart {
  std::filesystem::path model;  ///< folder of the earlier model
  const NodeRows& rows;
  std::string hash;  ///< of the earlier model
  /// What stood beside its vectors, and does now.
  double popularity_weight = 0.0;
  FilterBlend blend = {};
  RepeatBlend repeats = {};
  LinkBlend links = {};
  Calibration calibration = {};
};
/// Reads the last five of its manifest. Throws InputError for one that is damaged.
WarmStart warm_start(const std::filesystem::path& model, const NodeRows& rows);

Predecessor predecessor(const std::filesystem::path& model, const NodeRows& rows);

/// The rows of a table [then x D] by the nodes of now, [N x D] in host memory: zeros where
/// `rows` says kNoNode.
kernels::FloatMatrix rows_taken(kernels::ConstFloatView before, std::span<const graph::NodeId> rows,
                                kernels::Backend& host);

/// Writes rows of `table` [N x D], in host memory, of nodes without a row of then: the mean of their
/// neighbours' in `adjacency` [N x N], brought to the mean length of the others; twice over, so that
/// neighbours of neighbours count where nothing nearer is known. A row without known neighbours
/// stays, and with ZeroRows::stay one of zeros.
enum class ZeroRows { stay, are_filled };
void fill_from_neighbours(const graph::CsrView& adjacency, std::span<const graph::NodeId> rows,
                          ZeroRows zero_rows, kernels::FloatView table);

}  // namespace penchant::pipeline
