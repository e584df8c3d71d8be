// SPDX-License-Identifier: Apache-2.0
// What one phase of training holds in memory: graph in its node order, encoder, optimiser state;
// and one training step.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "graph/item_graph.h"
#include "graph/normalize.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "kernels/transfer.h"
#include "models/encoder.h"
#include "models/ranking_loss.h"
#include "pipeline/sampler.h"
#include "pipeline/train.h"

namespace penchant::pipeline {

/// The matrix that a model kind propagates over.
graph::Csr model_adjacency(const graph::PropagationGraph& graph, models::ModelKind kind);

/// Adds a column to both matrices whose product is weight * log(1 + number of users) of an item
/// (Koenigstein et al. 2012's form of a bias in an inner product); nothing at weight 0.
void append_popularity(const graph::UserItemGraph& graph, double weight, kernels::Backend& backend,
                       kernels::FloatMatrix& users, kernels::FloatMatrix& items);

class Phase {
 public:
  Phase(const graph::UserItemGraph& user_item, const graph::ItemGraph& item,
        const TrainOptions& options, kernels::Backend& backend);

  const Sampler& sampler() const { return sampler_; }
  models::Encoder& encoder() { return *encoder_; }

  /// One step: exact forward over the full graph, loss and gradients of one batch, Adam. Returns
  /// the sum of the rows' losses.
  double step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step, float learning_rate);

  std::int64_t batch_rows() const { return static_cast<std::int64_t>(batch_.users.size()); }

  /// Final vectors in dense ids.
  void embeddings(kernels::FloatMatrix& users, kernels::FloatMatrix& items);

  /// Parameters as a file: node rows back in dense order, so that the file does not depend on
  /// train.node_order.
  void write_weights(const std::filesystem::path& path);

  /// What write_weights wrote.
  void read_weights(const std::filesystem::path& path);

 private:
  static bool is_node_table(const models::Parameter& parameter) {
    return parameter.name == "embeddings";
  }
  static bool is_node_vector(const models::Parameter& parameter) {
    return parameter.name.ends_with(".alpha");
  }

  /// The parameter in host memory, node rows in dense order.
  std::vector<float> dense_order(models::Parameter& parameter);

  const TrainOptions& options_;
  kernels::Backend& backend_;
  std::int64_t num_users_, num_items_;
  Sampler sampler_;
  models::RankingLoss loss_;
  std::vector<graph::NodeId> order_, new_id_;
  graph::Csr adjacency_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::unique_ptr<models::Encoder> encoder_;
  kernels::FloatMatrix d_final_;
  SampledBatch batch_;
  kernels::Upload<graph::NodeId> users_, positives_, negatives_;
  kernels::Upload<float> positive_bias_, negative_bias_;
};

}  // namespace penchant::pipeline
