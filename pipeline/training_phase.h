// SPDX-License-Identifier: Apache-2.0
// What one phase of training holds in memory: graph in its node order, model, optimiser state; and
// one training step. The interest model's phase: interest_training.h.
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
#include "models/loss_log.h"
#include "models/ranking_loss.h"
#include "pipeline/calibration.h"
#include "pipeline/sampler.h"
#include "pipeline/train.h"

namespace penchant::pipeline {

/// The matrix that a model kind propagates over.
graph::Csr model_adjacency(const graph::PropagationGraph& graph, models::ModelKind kind);

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

/// Adds a column to both matrices whose product is weight * log(1 + number of users) of an item
/// (Koenigstein et al. 2012's form of a bias in an inner product); nothing at weight 0.
void append_popularity(const graph::UserItemGraph& graph, double weight, kernels::Backend& backend,
                       kernels::FloatMatrix& users, kernels::FloatMatrix& items);

/// One phase of training as the trainer sees it, whatever the model.
class TrainingPhase {
 public:
  virtual ~TrainingPhase() = default;
  virtual std::int64_t steps_per_epoch() const = 0;
  /// Enqueues one step: exact forward over the full graph, loss and gradients of one batch, Adam.
  virtual void step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
                    float learning_rate) = 0;
  /// Adds the rows' losses of the steps since the last call to `sum`. Waits for them.
  virtual void add_losses(double& sum) = 0;
  /// Rows of the last step's batch.
  virtual std::int64_t batch_rows() const = 0;
  /// Final vectors in dense ids.
  virtual void embeddings(kernels::FloatMatrix& users, kernels::FloatMatrix& items) = 0;
  virtual void visit_parameters(const models::ParameterVisitor& visit) = 0;
  /// How the probabilities that the model gives must be corrected, by the validation part; models
  /// without probabilities have nothing to correct.
  virtual Calibration calibrate() { return {}; }
  /// Parameters as a file: node rows in dense order, so that the file does not depend on
  /// train.node_order.
  virtual void write_weights(const std::filesystem::path& path) = 0;
  /// What write_weights wrote.
  virtual void read_weights(const std::filesystem::path& path) = 0;
};

/// A phase of a graph encoder's training. Both graphs must outlive it.
class GraphPhase final : public TrainingPhase {
 public:
  GraphPhase(const graph::UserItemGraph& user_item, const graph::ItemGraph& item,
             const TrainOptions& options, kernels::Backend& backend);

  std::int64_t steps_per_epoch() const override { return steps_per_epoch_; }
  void step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
            float learning_rate) override;
  void add_losses(double& sum) override { losses_.add_to(sum, backend_); }
  std::int64_t batch_rows() const override { return batch_rows_; }
  void embeddings(kernels::FloatMatrix& users, kernels::FloatMatrix& items) override;
  void visit_parameters(const models::ParameterVisitor& visit) override {
    encoder_->visit_parameters(visit);
  }
  void write_weights(const std::filesystem::path& path) override;
  void read_weights(const std::filesystem::path& path) override;

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
  const graph::UserItemGraph& user_item_;
  const graph::ItemGraph& item_graph_;
  std::int64_t steps_per_epoch_;
  std::int64_t batch_rows_ = 0;
  models::RankingLoss loss_;
  models::LossLog losses_;
  std::vector<graph::NodeId> order_, new_id_;
  graph::Csr adjacency_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::unique_ptr<models::Encoder> encoder_;
  std::unique_ptr<Sampler> sampler_;
  kernels::FloatMatrix d_final_;
  std::unique_ptr<kernels::RepeatedStep> repeated_step_;
};

}  // namespace penchant::pipeline
