// SPDX-License-Identifier: Apache-2.0
// One phase of training the fused interest model (models/interest_model.h).
#pragma once

#include "models/loss_log.h"
#include "pipeline/evaluation/pair_evaluation.h"
#include "pipeline/model/history_batch.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/training/history_sampler.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/training_phase.h"

namespace penchant::pipeline {

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
  bool averages() const override { return pairs_.size() > 0; }
  void average(std::int64_t adam_step) override;
  double average_auc() override;
  Calibration calibrate() override;

 protected:
  graph::CsrView adjacency() const override { return network_.adjacency(); }

 private:
  /// Of the network as it is, for the pairs of the validation part.
  std::vector<float> validation_logits();

  const Dataset& dataset_;
  const TrainOptions& options_;
  InterestNetwork network_;
  Histories histories_;
  HistorySampler sampler_;
  HistoryBatch batch_;
  PairTask pairs_;  ///< of the validation part, if there are enough to judge probabilities by
  models::LossLog losses_;
};

}  // namespace penchant::pipeline
