// SPDX-License-Identifier: Apache-2.0
// What one phase of training holds in memory: graph in its node order, model, optimiser state; and
// one training step. The interest model's phase: interest_training.h.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/item_graph.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "kernels/transfer.h"
#include "models/encoder.h"
#include "models/loss_log.h"
#include "models/ranking_loss.h"
#include "models/safetensors.h"
#include "pipeline/model/calibration.h"
#include "pipeline/training/sampler.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/warm_start.h"

namespace penchant::pipeline {

/// One phase of training as the trainer sees it, whatever the model.
class TrainingPhase {
 public:
  explicit TrainingPhase(kernels::Backend& backend) : backend_(backend) {}
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
  /// Whether averages of the weights over the steps so far are of use: probabilities are better by
  /// them, where there are pairs to judge them by.
  virtual bool averages() const { return false; }
  /// Adds the weights after this step, counted from 1, to the average.
  virtual void average(std::int64_t /*adam_step*/) {}
  /// AUC of the averaged network on the pairs of the validation part.
  virtual double average_auc() { return 0.0; }
  /// How the probabilities that the network gives must be corrected, by the validation part; models
  /// without probabilities have nothing to correct.
  virtual Calibration calibrate() { return {}; }
  /// Parameters, or their averages, as a file. Node rows are in dense order, so that files depend neither on
  /// train.node_order nor on the partition that it follows.
  void write_weights(const std::filesystem::path& path);
  void write_average(const std::filesystem::path& path);
  /// What write_weights wrote.
  void read_weights(const std::filesystem::path& path);
  /// What an earlier model's training wrote, of a data set that has grown since: rows of nodes that
  /// it knew, and where others start (warm_start.h).
  void start_from(const std::filesystem::path& path, const NodeRows& rows);
  /// Parameters, their moments and averages: everything that a step changes.
  void write_state(const std::filesystem::path& path,
                   const std::map<std::string, std::string>& metadata);
  /// What write_state wrote; `path` is for messages.
  void read_state(const models::TensorFile& file, const std::filesystem::path& path);

 protected:
  /// Which nodes have a row, in dense order: users, if `users`; items; hubs.
  virtual bool has_users() const { return false; }
  /// [N x N] of the nodes in dense order of places().
  virtual graph::CsrView adjacency() const = 0;
  /// places()[node] is where a node's row stands in memory; empty: at its dense id.
  virtual std::span<const graph::NodeId> places() const { return {}; }

  kernels::Backend& backend_;

 private:
  class TensorList;
  void read_matrix(const models::TensorFile& file, const std::string& name,
                   const std::filesystem::path& path, const models::Parameter& parameter,
                   kernels::FloatMatrix& to);
};

/// A phase of a graph encoder's training. The graphs must outlive it.
class GraphPhase final : public TrainingPhase {
 public:
  GraphPhase(const Graphs& graphs, const TrainOptions& options, kernels::Backend& backend);

  std::int64_t steps_per_epoch() const override { return steps_per_epoch_; }
  void step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
            float learning_rate) override;
  void add_losses(double& sum) override { losses_.add_to(sum, backend_); }
  std::int64_t batch_rows() const override { return batch_rows_; }
  void embeddings(kernels::FloatMatrix& users, kernels::FloatMatrix& items) override;
  void visit_parameters(const models::ParameterVisitor& visit) override {
    encoder_->visit_parameters(visit);
  }

 protected:
  std::span<const graph::NodeId> places() const override { return new_id_; }
  bool has_users() const override { return true; }
  graph::CsrView adjacency() const override { return adjacency_.view(); }

 private:
  const TrainOptions& options_;
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
  kernels::FloatMatrix d_final_;                ///< zero but for the rows of batch_nodes_
  kernels::Vector<std::uint32_t> batch_nodes_;  ///< those that the last step's batch names
  std::unique_ptr<kernels::RepeatedStep> repeated_step_;
};

}  // namespace penchant::pipeline
