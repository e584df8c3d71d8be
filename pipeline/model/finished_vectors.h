// SPDX-License-Identifier: Apache-2.0
// From propagated embeddings to the vectors that a model's scores are inner products of.
#pragma once

#include <cstdint>

#include "graph/item_graph.h"
#include "graph/propagation_graph.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/model_options.h"

namespace penchant::pipeline {

/// The matrix that a model kind propagates over.
graph::Csr model_adjacency(graph::PropagationGraph graph, models::ModelKind kind);

/// The last steps from propagated to final vectors [U x D], [I x D]: length 1 if the model
/// normalizes, and vectors for users and items of whom nothing is known (models/new_users.h,
/// models/new_items.h). Returns how many columns it appended for the items.
std::int64_t finish_vectors(const graph::UserItemGraph& user_item,
                            const graph::ItemGraph& item_graph, const models::ModelOptions& options,
                            kernels::Backend& backend, kernels::FloatMatrix& users,
                            kernels::FloatMatrix& items);
/// The same for a filter's vectors: any length, no columns.
void finish_filter_vectors(const graph::UserItemGraph& user_item,
                           const graph::ItemGraph& item_graph, kernels::Backend& backend,
                           kernels::FloatMatrix& users, kernels::FloatMatrix& items);

/// The same for vectors that were distilled; `new_items`: these have theirs.
void finish_distilled_vectors(const graph::UserItemGraph& user_item,
                              const graph::ItemGraph& item_graph, bool new_items,
                              kernels::Backend& backend, kernels::FloatMatrix& users,
                              kernels::FloatMatrix& items);

/// Adds a column to both matrices whose product is weight * log(1 + number of users) of an item
/// (Koenigstein et al. 2012's form of a bias in an inner product); nothing at weight 0.
void append_popularity(const graph::UserItemGraph& graph, double weight, kernels::Backend& backend,
                       kernels::FloatMatrix& users, kernels::FloatMatrix& items);

/// The matrix with a column of zeros behind it.
kernels::FloatMatrix widened(const kernels::FloatMatrix& matrix, kernels::Backend& backend);
/// Writes weight * log(1 + number of users) of each item into the last column.
void set_popularity(const graph::UserItemGraph& graph, double weight, kernels::Backend& backend,
                    kernels::FloatMatrix& items);

}  // namespace penchant::pipeline
