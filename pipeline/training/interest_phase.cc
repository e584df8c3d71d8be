// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/interest_phase.h"

#include "graph/error.h"
#include "models/optimiser.h"
#include "pipeline/evaluation/pair_evaluation.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

using kernels::Backend;
using kernels::FloatMatrix;
using models::Parameter;

InterestPhase::InterestPhase(const Dataset& dataset, const graph::TrainingPart& part,
                             const graph::UserItemGraph& user_item, const graph::ItemGraph& item,
                             const TrainOptions& options, Backend& backend)
    : TrainingPhase(backend),
      dataset_(dataset),
      options_(options),
      network_(dataset, item, options.model, options.seed, backend),
      histories_(network_.histories(make_histories(part, dataset, part.interactions.size() + 1))),
      sampler_(histories_, user_item, options) {}

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

Calibration InterestPhase::calibrate() {
  const models::InterestOptions& interest = options_.model.interest;
  if (!interest.ranking_head || interest.ranking_target != models::RankingTarget::interest)
    return {};
  const PairTask task = make_pair_task(dataset_, HeldOut::validation);
  network_.model().forward_items(backend_);
  const std::vector<float> logits =
      network_.pair_outputs(histories_, task.users, task.items, 0.0F, backend_);
  return fit_calibration(logits, task.labels);
}

}  // namespace penchant::pipeline
