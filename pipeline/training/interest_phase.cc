// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/interest_phase.h"

#include "graph/error.h"
#include "models/optimiser.h"
#include "pipeline/evaluation/pair_evaluation.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

using kernels::Backend;
using kernels::FloatMatrix;

namespace {

/// AUC by fewer says little of an epoch.
constexpr std::int64_t kFewestPairs = 100;

}  // namespace

InterestPhase::InterestPhase(const Dataset& dataset, const graph::TrainingPart& part,
                             const graph::UserItemGraph& user_item, const graph::ItemGraph& item,
                             const TrainOptions& options, Backend& backend)
    : TrainingPhase(backend),
      dataset_(dataset),
      options_(options),
      network_(dataset, item, options.model, options.seed, backend),
      histories_(network_.histories(make_histories(part, dataset, part.interactions.size() + 1))),
      sampler_(histories_, user_item, options) {
  const models::InterestOptions& interest = options.model.interest;
  if (!interest.ranking_head || interest.ranking_target != models::RankingTarget::interest) return;
  pairs_ = make_pair_task(dataset, HeldOut::validation);
  if (pairs_.size() < kFewestPairs) pairs_ = {};
}

void InterestPhase::step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
                         float learning_rate) {
  models::InterestModel& model = network_.model();
  const models::InterestTargets targets = sampler_.sample(epoch, step, batch_, backend_);
  models::clear_gradients(model, backend_);
  const models::StepDropout dropout{options_.model.interest.dropout, options_.seed,
                                    static_cast<std::uint64_t>(adam_step)};
  model.add_gradients(backend_, batch_.upload(backend_), targets, dropout, losses_);
  kernels::AdamOptions adam;
  adam.learning_rate = learning_rate;
  adam.l2 = options_.l2;
  adam.step = adam_step;
  models::adam_steps(model, adam, backend_);
}

void InterestPhase::embeddings(FloatMatrix& users, FloatMatrix& items) {
  network_.embeddings(histories_, backend_, users, items);
}

void InterestPhase::average(std::int64_t adam_step) {
  models::average_parameters(network_.model(), adam_step, backend_);
}

std::vector<float> InterestPhase::validation_logits() {
  network_.model().forward_items(backend_);
  return network_.pair_outputs(histories_, pairs_.users, pairs_.items, 0.0F, backend_);
}

double InterestPhase::average_auc() {
  models::swap_averages(network_.model());
  const std::vector<float> logits = validation_logits();
  models::swap_averages(network_.model());
  return pair_auc(pairs_.labels, logits);
}

Calibration InterestPhase::calibrate() {
  if (pairs_.size() == 0) return {};
  const std::vector<float> logits = validation_logits();
  return fit_calibration(logits, pairs_.labels);
}

}  // namespace penchant::pipeline
