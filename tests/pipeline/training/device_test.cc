// SPDX-License-Identifier: Apache-2.0
// The pipeline where device memory is not host memory: on the GPU, and on the emulation of its
// kernels, whose backend refuses host operands. Training, evaluation and export must come to what
// the CPU comes to.
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/model.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "tests/pipeline/support/shop.h"
#include "tests/simt/simt_backend.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::read_text;

class OnADevice : public penchant::testing::SmallShopTest,
                  public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("simt")) {
      device_ = std::make_unique<simt::SimtBackend>(simt::Schedule::ascending);
      return;
    }
    try {
      device_ = kernels::make_backend({kernels::DeviceChoice::cuda, 0, {}});
    } catch (const DeviceError& error) {
      const char* required = std::getenv("PENCHANT_REQUIRE_GPU");
      if (required != nullptr && std::string(required) == "1") FAIL() << error.what();
      GTEST_SKIP() << error.what();
    }
  }
  void train_on(kernels::Backend& backend, const TrainOptions& options, const std::string& name,
                Progress& progress = silent_progress()) {
    pipeline::train(dataset(), graphs(), options, "", at(name), backend, progress);
  }
  EvaluateReport evaluate_on(kernels::Backend& backend, const std::string& name) {
    EvaluateOptions options;
    options.cutoffs = {10};
    options.rank_metrics = true;
    options.ranking = Ranking::full;
    const Model model = Model::open(at(name), dataset(), backend);
    embed(model, {}, at(name + ".vectors"), silent_progress());
    EXPECT_EQ(model.recommend("u3", 5).size(), 5U);
    EXPECT_EQ(model.similar("i3", 5).size(), 5U);
    return evaluate(model, options, silent_progress());
  }
  /// Trains on both, and compares what users see.
  void expect_like_the_cpu(const TrainOptions& options) {
    train_on(backend(), options, "host");
    train_on(*device_, options, "device");
    const EvaluateReport want = evaluate_on(backend(), "host");
    const EvaluateReport got = evaluate_on(*device_, "device");
    ASSERT_EQ(got.full.size(), want.full.size());
    // Rounding differs: near ties swap, and of options that validation finds equally good (the
    // weight of popularity) another may be chosen. So quality is compared, not what is popular.
    for (const char* name : {"recall@10", "ndcg@10", "auc"}) {
      const double value = want.full.at(name);
      EXPECT_NEAR(got.full.at(name), value, 0.04 * value + 0.01) << name;
    }
    EXPECT_EQ(read_text(at("device.vectors") / "items.npy").size(),
              read_text(at("host.vectors") / "items.npy").size());
  }

  std::unique_ptr<kernels::Backend> device_;
};
INSTANTIATE_TEST_SUITE_P(Device, OnADevice, ::testing::Values("simt", "cuda"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(OnADevice, LightGcnWithPopularityAndFilter) {
  TrainOptions options = recipe();
  options.epochs = 1;
  options.calibrate_popularity = true;
  options.blend_filter = true;
  expect_like_the_cpu(options);
}

TEST_P(OnADevice, NodeWeightedGcnWithBpr) {
  TrainOptions options = recipe();
  options.epochs = 2;  // after one, hardly any score differs from the others
  options.model.kind = models::ModelKind::node_weighted;
  options.model.loss = models::LossKind::bpr;
  expect_like_the_cpu(options);
}

TEST_P(OnADevice, FusedInterestModel) {
  TrainOptions options = recipe_of(models::ModelKind::interest);
  options.model.embedding_dim = 8;
  options.model.interest.hidden_dim = 8;
  options.model.interest.mlp_dims = {8};
  options.epochs = 1;
  options.batch_size = 1024;
  options.num_negatives = 64;
  expect_like_the_cpu(options);
  const Model model = Model::open(at("device"), dataset(), *device_);
  const std::vector<std::string_view> history = {"i1", "i2"};
  EXPECT_EQ(model.recommend_for_history(history, 5).size(), 5U);
}

TEST_P(OnADevice, SomeoneNewByWhatTheyHad) {
  TrainOptions options = recipe();
  options.epochs = 1;
  train_on(*device_, options, "m");
  const Model model = Model::open(at("m"), dataset(), *device_);
  const std::vector<std::string_view> history = {"i1", "i2"};
  EXPECT_EQ(model.recommend_for_history(history, 5).size(), 5U);
}

TEST_P(OnADevice, GraphFilter) {
  TrainOptions options = recipe();
  options.model.kind = models::ModelKind::graph_filter;
  options.filter.kind = models::FilterKind::gfcf;
  options.filter.rank = 8;
  expect_like_the_cpu(options);
}

TEST_P(OnADevice, ResumesWithTheSameBits) {
  TrainOptions options = recipe();
  options.epochs = 1;
  train_on(*device_, options, "unbroken");
  penchant::testing::StopAfter stop(3);
  train_on(*device_, options, "broken", stop);
  options.resume = true;
  train_on(*device_, options, "broken");
  EXPECT_EQ(read_text(at("broken") / "weights.safetensors"),
            read_text(at("unbroken") / "weights.safetensors"));
}

}  // namespace
}  // namespace penchant::pipeline
