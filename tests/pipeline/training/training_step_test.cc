// SPDX-License-Identifier: Apache-2.0
// What a training step must not do once its memory has grown: allocate, copy from the host, wait
// for the device. Counted on the emulated GPU.
#include <gtest/gtest.h>

#include "pipeline/training/interest_phase.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/training_phase.h"
#include "tests/pipeline/support/shop.h"
#include "tests/simt/simt_backend.h"

namespace penchant::pipeline {
namespace {

using models::LossKind;
using models::ModelKind;
using simt::SimtBackend;

class TrainingStep : public penchant::testing::SmallShopTest {};

TEST_F(TrainingStep, OfAGraphModelNeitherAllocatesNorUploadsNorWaits) {
  struct Kind {
    ModelKind model;
    LossKind loss;
  };
  for (const auto& [model, loss] :
       {Kind{ModelKind::lightgcn, LossKind::sampled_softmax},
        Kind{ModelKind::lightgcn, LossKind::bpr}, Kind{ModelKind::gcn, LossKind::sampled_softmax},
        Kind{ModelKind::node_weighted, LossKind::bpr}}) {
    SCOPED_TRACE(::testing::Message() << static_cast<int>(model) << ", " << static_cast<int>(loss));
    TrainOptions options = recipe();
    options.model.kind = model;
    options.model.loss = loss;
    options.model.initializer = models::Initializer::normal;
    options.negative_correction = 1.0;
    SimtBackend backend(simt::Schedule::ascending);
    GraphPhase phase(graphs(), options, backend);
    const std::int64_t steps = phase.steps_per_epoch();
    ASSERT_GE(steps, 3);
    std::int64_t adam_step = 0;
    const auto train_on = [&](std::int64_t epoch) {
      for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, steps - 1})
        phase.step(epoch, step, ++adam_step, 1e-3F);
    };
    double loss_sum = 0.0;
    train_on(0);
    phase.add_losses(loss_sum);
    const SimtBackend::Interruptions before = backend.interruptions();
    train_on(1);
    EXPECT_EQ(backend.interruptions().allocations, before.allocations);
    EXPECT_EQ(backend.interruptions().uploads, before.uploads);
    EXPECT_EQ(backend.interruptions().waits, before.waits);
    phase.add_losses(loss_sum);
    EXPECT_GT(backend.interruptions().waits, before.waits) << "the counter counts";
    EXPECT_GT(loss_sum, 0.0);
  }
}

// Its sequences differ in length from batch to batch: they are uploaded, and memory grows with the
// longest batch, but nothing waits.
TEST_F(TrainingStep, OfTheInterestModelDoesNotWait) {
  TrainOptions options = recipe();
  options.model.kind = ModelKind::interest;
  options.batch_size = 512;
  SimtBackend backend(simt::Schedule::ascending);
  InterestPhase phase(dataset(), dataset().split.train, graphs().user_item, graphs().item, options,
                      backend);
  const std::int64_t before = backend.interruptions().waits;
  phase.step(0, 0, 1, 1e-3F);
  phase.step(0, 1, 2, 1e-3F);
  EXPECT_EQ(backend.interruptions().waits, before);
  double loss_sum = 0.0;
  phase.add_losses(loss_sum);
  EXPECT_GT(loss_sum, 0.0);
}

// However often the losses are read, their sum has the same bits.
TEST_F(TrainingStep, LossesAddUpAlikeWheneverTheyAreRead) {
  const auto sum_of = [&](std::int64_t reads_every) {
    TrainOptions options = recipe();
    GraphPhase phase(graphs(), options, backend());
    double sum = 0.0;
    for (std::int64_t step = 0; step < phase.steps_per_epoch(); ++step) {
      phase.step(0, step, step + 1, 1e-2F);
      if (step % reads_every == 0) phase.add_losses(sum);
    }
    phase.add_losses(sum);
    return sum;
  };
  EXPECT_EQ(sum_of(1), sum_of(1000));
  EXPECT_EQ(sum_of(1), sum_of(3));
}

}  // namespace
}  // namespace penchant::pipeline
