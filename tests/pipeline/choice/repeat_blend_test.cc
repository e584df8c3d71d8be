// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/repeat_blend.h"

#include <cmath>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/random.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::IngestTest;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

// User 0: items 2, 1, 2 (oldest first); user 1: nothing; user 2: item 0.
Histories three_histories() {
  Histories histories;
  histories.offsets = {0, 3, 3, 4};
  histories.items = {2, 1, 2, 0};
  return histories;
}

TEST(RepeatScores, CountWithoutDecay) {
  const graph::Csr scores = repeat_scores(three_histories(), 4, 1.0F, 1.0F);
  EXPECT_EQ(scores.num_rows, 3);
  EXPECT_EQ(scores.num_cols, 4);
  EXPECT_THAT(scores.offsets, ElementsAre(0, 2, 2, 3));
  EXPECT_THAT(scores.columns, ElementsAre(1, 2, 0));
  EXPECT_THAT(scores.values, ElementsAre(1.0F, 2.0F, 1.0F));
}

TEST(RepeatScores, LaterEventsWeighMore) {
  const graph::Csr scores = repeat_scores(three_histories(), 4, 0.5F, 0.5F);
  const std::vector<float> want = {std::sqrt(0.5F), std::sqrt(1.25F), 1.0F};
  EXPECT_THAT(scores.values, Pointwise(FloatNear(1e-6F), want));
}

TEST(RepeatScores, AnEventOfLongAgoStillCountsOnce) {
  Histories histories;
  histories.items.assign(20000, 1);
  histories.items.front() = 0;
  histories.offsets.push_back(20000);
  const graph::Csr scores = repeat_scores(histories, 2, 0.9F, 1.0F);
  EXPECT_THAT(scores.columns, ElementsAre(0, 1));
  EXPECT_GT(scores.values[0], 0.0F);
  EXPECT_NEAR(scores.values[1], 10.0F, 1e-4F);
}

TEST(RepeatScores, RefuseWhatIsNoDecayOrPower) {
  EXPECT_THROW(repeat_scores({}, 4, 0.0F, 1.0F), InputError);
  EXPECT_THROW(repeat_scores({}, 4, 1.5F, 1.0F), InputError);
  EXPECT_THROW(repeat_scores({}, 4, 1.0F, 0.0F), InputError);
  EXPECT_EQ(repeat_scores({}, 4, 1.0F, 1.0F).num_rows, 0);
}

class RepeatBlending : public IngestTest {
 protected:
  /// 60 users who come back 30 times, mostly for one of two items of their own.
  Dataset creatures_of_habit(RepeatPolicy repeats) {
    std::string log = "user,item,time\n";
    for (int visit = 0; visit < 30; ++visit) {
      for (int user = 0; user < 60; ++user) {
        const int any = (visit * 7 + user * 13 + visit * user) % 120;
        const int item = visit % 5 == 4 ? any : 2 * user + visit % 2;
        log += fmt::format("u{},i{},{}\n", user, item, 1'000'000 + 1000 * visit + user);
      }
    }
    IngestOptions options;
    options.repeats = repeats;
    options.split_method = graph::SplitMethod::global_time;
    if (repeats == RepeatPolicy::sum) options.split_method = graph::SplitMethod::leave_one_out;
    return ingest_text(log, options);
  }
  TrainReport train_on(const Dataset& dataset, const std::string& name, bool blend_repeats,
                       models::ModelKind kind) {
    TrainOptions options = recipe_of(kind);
    options.model.embedding_dim = 8;
    options.model.interest.hidden_dim = 8;
    options.model.interest.mlp_dims = {8};
    options.epochs = 2;
    options.batch_size = 512;
    options.num_negatives = 32;
    options.blend_filter = false;
    options.calibrate_popularity = false;
    options.retry_lower_rate = false;
    options.refit = false;
    options.blend_repeats = blend_repeats;
    const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
    return train(dataset, graphs, options, "", at(name), *backend_, silent_progress());
  }
  double validation_of(const Dataset& dataset, const std::string& name, const std::string& metric) {
    const Model model = Model::open(at(name), dataset, *backend_, KnownPart::train);
    EvaluateOptions options;
    options.part = HeldOut::validation;
    options.ranking = Ranking::full;
    const EvaluateReport report = evaluate(model, options, silent_progress());
    const auto manifest =
        nlohmann::json::parse(penchant::testing::read_text(at(name) / "manifest.json"));
    EXPECT_NEAR(report.metrics.at(metric), manifest["validation"]["vectors"].get<double>(), 1e-6);
    return report.full.at(metric);
  }
  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
};

TEST_F(RepeatBlending, RanksWhatAUserComesBackTo) {
  const Dataset dataset = creatures_of_habit(RepeatPolicy::keep_all);
  ASSERT_TRUE(dataset.repeats_allowed);
  for (const models::ModelKind kind : {models::ModelKind::lightgcn, models::ModelKind::interest}) {
    const std::string metric = recipe_of(kind).validation_metric;
    const TrainReport plain = train_on(dataset, "plain", false, kind);
    const TrainReport blended = train_on(dataset, "blended", true, kind);
    EXPECT_GT(blended.best_validation, plain.best_validation);
    EXPECT_NEAR(validation_of(dataset, "blended", metric), blended.best_validation, 1e-6);
    EXPECT_NEAR(validation_of(dataset, "plain", metric), plain.best_validation, 1e-6);
    EXPECT_NE(Model::open(at("blended"), dataset, *backend_).scorer(), nullptr);
  }
}

TEST_F(RepeatBlending, AutoRanksWhatAUserComesBackToAndPaysForItOnce) {
  const Dataset dataset = creatures_of_habit(RepeatPolicy::keep_all);
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const auto train_auto = [&](const std::string& name, std::int64_t budget, bool blend_repeats) {
    TrainOptions options;
    options.model.kind = models::ModelKind::automatic;
    options.model.embedding_dim = 8;
    options.filter.rank = 8;
    options.budget.seconds = budget;
    options.refit = false;
    options.blend_repeats = blend_repeats;
    const TrainReport report =
        train(dataset, graphs, options, "", at(name), *backend_, silent_progress());
    EXPECT_NEAR(validation_of(dataset, name, "ndcg@20"), report.best_validation, 1e-6) << name;
    return report;
  };
  const auto model_of = [&](const std::string& name) {
    return nlohmann::json::parse(penchant::testing::read_text(at(name) / "manifest.json"));
  };
  // With vectors beside the filter, and with the filter alone.
  for (const std::int64_t budget : {300, 1}) {
    const std::string plain = fmt::format("plain {}", budget);
    const std::string blended = fmt::format("blended {}", budget);
    const TrainReport without = train_auto(plain, budget, false);
    const TrainReport with = train_auto(blended, budget, true);
    EXPECT_GT(with.best_validation, without.best_validation) << budget;
    EXPECT_THAT(with.chosen, ::testing::HasSubstr("what users did before")) << budget;
    EXPECT_GT(model_of(blended)["model"]["repeats"]["weight"], 0.0);
    EXPECT_EQ(model_of(plain)["model"]["repeats"]["weight"], 0.0);
    EXPECT_THAT(Model::open(at(blended), dataset, *backend_).name(),
                ::testing::HasSubstr("and repeats"));
    if (std::filesystem::exists(at(blended) / "trained")) {
      EXPECT_EQ(model_of(blended + "/trained")["repeats"]["weight"], 0.0);
      EXPECT_EQ(model_of(blended + "/trained")["course"]["blend_repeats"], false);
    }
  }
}

TEST_F(RepeatBlending, IsLeftOutWhereOwnItemsAreMasked) {
  const Dataset dataset = creatures_of_habit(RepeatPolicy::sum);
  ASSERT_FALSE(dataset.repeats_allowed);
  train_on(dataset, "m", true, models::ModelKind::lightgcn);
  EXPECT_EQ(Model::open(at("m"), dataset, *backend_).scorer(), nullptr);
}

}  // namespace
}  // namespace penchant::pipeline
