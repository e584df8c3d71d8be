// SPDX-License-Identifier: Apache-2.0
// Training and use of the fused interest model (models/interest_model.h): its item graph, the phase
// that the trainer runs, and the scorer of a finished model.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "pipeline/model/interest.h"
#include "pipeline/model/sequence_batches.h"
#include "pipeline/training/training_phase.h"

namespace penchant::pipeline {

/// The model with the graph that it propagates over.
class InterestNetwork {
 public:
  InterestNetwork(const Dataset& dataset, const graph::ItemGraph& item_graph,
                  const models::ModelOptions& options, graph::Seed seed, kernels::Backend& backend);
  models::InterestModel& model() { return *model_; }
  /// What the model takes of the histories of its data set: event types and time gaps only where
  /// they differ.
  Histories histories(Histories all) const;
  /// Vectors [B x D] of users by their histories, the last max_length events of each; empty
  /// histories get `empty` (a row of D, or zeros if it has no columns). Needs forward_items.
  kernels::FloatMatrix user_vectors(const Histories& histories, kernels::ConstFloatView empty,
                                    kernels::Backend& backend);
  /// Outputs of the ranking head for pairs of a history and an item, `empty` where the history is.
  /// Needs forward_items.
  std::vector<float> pair_outputs(const Histories& histories,
                                  std::span<const graph::NodeId> history_rows,
                                  std::span<const graph::NodeId> items, float empty,
                                  kernels::Backend& backend);
  /// Vectors of all items and of users by their histories; those without history get the mean of
  /// the others, which is returned [1 x D].
  kernels::FloatMatrix embeddings(const Histories& histories, kernels::Backend& backend,
                                  kernels::FloatMatrix& users, kernels::FloatMatrix& items);

 private:
  friend class TrainedInterest;
  models::ModelOptions options_;
  models::InterestSizes sizes_;
  graph::Csr adjacency_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::unique_ptr<models::InterestModel> model_;
};

/// One phase of its training.
class InterestPhase final : public TrainingPhase {
 public:
  InterestPhase(const Dataset& dataset, const graph::TrainingPart& part,
                const graph::UserItemGraph& user_item, const graph::ItemGraph& item,
                const TrainOptions& options, kernels::Backend& backend);

  std::int64_t steps_per_epoch() const override { return sampler_.steps_per_epoch(); }
  void step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
            float learning_rate) override;
  void add_losses(double& sum) override { losses_.add_to(sum, backend_); }
  std::int64_t batch_rows() const override { return batch_.num_events(); }
  void embeddings(kernels::FloatMatrix& users, kernels::FloatMatrix& items) override;
  void visit_parameters(const models::ParameterVisitor& visit) override {
    network_.model().visit_parameters(visit);
  }
  Calibration calibrate() override;

 private:
  const Dataset& dataset_;
  const TrainOptions& options_;
  InterestNetwork network_;
  Histories histories_;
  HistorySampler sampler_;
  HistoryBatch batch_;
  models::LossLog losses_;
};

/// A trained interest model. Users without history get the mean user's vector.
class TrainedInterest final : public InterestScorer {
 public:
  /// `popularity_column`: the item vectors that user_vectors are for have a column of popularity
  /// behind them (append_popularity), for which users have a 1.
  TrainedInterest(std::unique_ptr<InterestNetwork> network, bool popularity_column,
                  Calibration calibration)
      : network_(std::move(network)),
        popularity_column_(popularity_column),
        calibration_(std::move(calibration)) {}
  kernels::FloatMatrix user_vectors(const Histories& histories, kernels::Backend& backend) override;
  PairScore pair_score() const override;
  /// Without a history: a logit of 0, or the mean rating.
  std::vector<float> pair_scores(const Histories& histories,
                                 std::span<const graph::NodeId> history_rows,
                                 std::span<const graph::NodeId> items,
                                 kernels::Backend& backend) override;
  /// Vectors of the data set's users and items, without a column of popularity; sets the mean user.
  /// To be called before the others.
  void embeddings(const Histories& histories, kernels::Backend& backend,
                  kernels::FloatMatrix& users, kernels::FloatMatrix& items);

 private:
  std::unique_ptr<InterestNetwork> network_;
  bool popularity_column_;
  Calibration calibration_;
  kernels::FloatMatrix mean_user_;  ///< [1 x D]
};

}  // namespace penchant::pipeline
