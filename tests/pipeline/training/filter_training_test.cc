// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/filter_training.h"

#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/model.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/shop.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using ::testing::HasSubstr;

class FilterTraining : public penchant::testing::SmallShopTest {
 protected:
  static TrainOptions filter_recipe() {
    TrainOptions options;
    options.model.kind = models::ModelKind::graph_filter;
    options.model.embedding_dim = 12;
    return options;
  }
  std::vector<json> trials(const std::string& name) const {
    std::vector<json> lines;
    std::ifstream file(at(name) / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
    return lines;
  }
  Model load(const std::string& name) { return Model::open(at(name), dataset(), backend()); }
};

TEST_F(FilterTraining, ChoosesTheBestOfWhatItTried) {
  const TrainReport report = train(filter_recipe(), "m");
  const std::vector<json> lines = trials("m");
  ASSERT_GE(lines.size(), 5U);
  double best = 0.0;
  json chosen;
  for (const json& line : lines) {
    const double value = line["validation"]["ndcg@20"].get<double>();
    if (value > best) {
      best = value;
      chosen = line["filter"];
    }
  }
  EXPECT_EQ(manifest("m")["model"]["filter"], chosen);
  EXPECT_DOUBLE_EQ(report.best_validation, best);
  EXPECT_EQ(manifest("m")["trained_on"], "train+validation");
  EXPECT_THAT(report.chosen, HasSubstr("best of " + std::to_string(lines.size())));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(lines[i]["filter"], lines[j]["filter"]);
  }
}

TEST_F(FilterTraining, BeatsPopularity) {
  train(filter_recipe(), "m");
  EvaluateOptions options;
  options.cutoffs = {20};
  options.ranking = Ranking::full;
  const EvaluateReport popularity =
      evaluate_popularity(dataset(), options, backend(), silent_progress());
  EXPECT_GT(evaluate(load("m"), options, silent_progress()).full.at("recall@20"),
            1.3 * popularity.metrics.at("recall@20"));
}

TEST_F(FilterTraining, KeepsWhatIsGiven) {
  TrainOptions options = filter_recipe();
  options.filter.kind = models::FilterKind::bspm;
  options.filter.power = 0.25F;
  options.filter.rank = 7;
  options.filter.sharpening_steps = 2;
  train(options, "m");
  for (const json& line : trials("m")) {
    EXPECT_EQ(line["filter"]["kind"], "bspm");
    EXPECT_EQ(line["filter"]["power"], 0.25F);
    EXPECT_EQ(line["filter"]["rank"], 7);
    EXPECT_EQ(line["filter"]["sharpening_steps"], 2);
  }
  EXPECT_GT(trials("m").size(), 1U) << "low_pass and sharpening were left open";
}

TEST_F(FilterTraining, WithoutValidationTakesTheStart) {
  TrainOptions options = filter_recipe();
  options.validate_every = 0;
  options.refit = false;
  const TrainReport report = train(options, "m");
  EXPECT_FALSE(report.validated);
  EXPECT_TRUE(trials("m").empty());
  EXPECT_EQ(manifest("m")["trained_on"], "train");
  EXPECT_EQ(manifest("m")["model"]["filter"]["kind"], "gfcf");
}

TEST_F(FilterTraining, AModelReadBackScoresAsTheFilterItWasMadeOf) {
  TrainOptions options = filter_recipe();
  options.filter.kind = models::FilterKind::chebycf;
  options.refit = false;
  options.validate_every = 0;
  train(options, "m");
  const Model model = load("m");
  ASSERT_NE(model.scorer(), nullptr);
  EXPECT_EQ(model.items().cols, 12);
  models::FilterOptions filter;
  const json stored = manifest("m")["model"]["filter"];
  filter.power = stored["power"].get<float>();
  filter.rank = stored["rank"].get<std::int64_t>();
  filter.low_pass = stored["low_pass"].get<float>();
  filter.order = stored["order"].get<std::int64_t>();
  filter.flatness = stored["flatness"].get<float>();
  models::GraphFilter direct(
      std::make_shared<models::FilterGraph>(graphs().user_item.user_items.view(), filter.rank,
                                            options.seed, backend()),
      filter, backend());
  const std::vector<graph::NodeId> users = {0, 5, 6, 150};
  const kernels::IdView ids(users.data(), 4, kernels::Device::cpu);
  kernels::FloatMatrix got = backend().matrix<float>(dataset().num_items(), 4);
  kernels::FloatMatrix want = backend().matrix<float>(dataset().num_items(), 4);
  model.scorer()->score(ids, backend(), got.view());
  direct.score(ids, backend(), want.view());
  for (std::int64_t i = 0; i < got.rows(); ++i) {
    for (std::int64_t b = 0; b < 4; ++b) EXPECT_EQ(got.view()(i, b), want.view()(i, b));
  }
}

TEST_F(FilterTraining, SameSeedSameBytes) {
  train(filter_recipe(), "one");
  train(filter_recipe(), "two");
  EXPECT_EQ(read_text(at("one") / "weights.safetensors"),
            read_text(at("two") / "weights.safetensors"));
  EXPECT_EQ(trials("one"), trials("two"));
}

TEST_F(FilterTraining, RecommendationsAreTheScorersBest) {
  train(filter_recipe(), "m");
  const Model model = load("m");
  const std::vector<ScoredItem> best =
      model.recommend(dataset().users.raw(4), 10, SeenItems::automatic, Ranking::full);
  ASSERT_EQ(best.size(), 10U);
  kernels::FloatMatrix scores = backend().matrix<float>(dataset().num_items(), 1);
  const graph::NodeId user = 4;
  model.scorer()->score({&user, 1, kernels::Device::cpu}, backend(), scores.view());
  for (std::size_t j = 0; j < best.size(); ++j) {
    EXPECT_EQ(best[j].score, scores.view()(best[j].item, 0));
    EXPECT_GE(best[j - (j > 0 ? 1 : 0)].score, best[j].score);
  }
}

TEST_F(FilterTraining, ARidgeRegressionChoosesItsLambdaAndHasVectors) {
  TrainOptions options = filter_recipe();
  options.filter.kind = models::FilterKind::ridge;
  const TrainReport report = train(options, "m");
  EXPECT_THAT(report.chosen, HasSubstr("ridge, lambda "));
  EXPECT_GT(trials("m").size(), 1U) << "lambda is chosen";
  EXPECT_EQ(manifest("m")["model"]["filter"]["rank"], 12);
  EvaluateOptions evaluation;
  evaluation.ranking = Ranking::full;
  const EvaluateReport evaluated = evaluate(load("m"), evaluation, silent_progress());
  EXPECT_GT(evaluated.metrics.at("ndcg@20"), 0.9 * evaluated.full.at("ndcg@20"));

  // Beside vectors, where somebody asks for it.
  options.model.kind = models::ModelKind::automatic;
  options.filter.ridge = 30.0F;
  options.filter.rank = 16;
  options.distil = false;
  train(options, "auto");
  EXPECT_EQ(manifest("auto")["model"]["filter"]["kind"], "ridge");
  EXPECT_EQ(load("auto").recommend("u3", 5, SeenItems::automatic, Ranking::full).size(), 5U);
}

TEST_F(FilterTraining, ALinearFilterHasVectorsUnlessToldOtherwise) {
  TrainOptions options = filter_recipe();
  options.filter.kind = models::FilterKind::linear;
  options.filter.power = 0.3F;
  train(options, "m");
  EXPECT_EQ(load("m").items().cols, 12);
  EXPECT_NO_THROW(load("m").similar("i3", 5));
  options.filter.rank = 0;
  train(options, "none");
  const Model none = load("none");
  EXPECT_EQ(none.recommend("u3", 5, SeenItems::automatic, Ranking::full).size(), 5U);
  EXPECT_THAT(input_error_of([&] { none.recommend("u3", 5); }),
              HasSubstr("recommend --ranking vectors: the model has no vectors"));
  EvaluateOptions evaluation;
  EXPECT_THAT(input_error_of([&] { evaluate(none, evaluation, silent_progress()); }),
              HasSubstr("evaluate --ranking vectors: the model has no vectors"));
  evaluation.ranking = Ranking::full;
  const EvaluateReport evaluated = evaluate(none, evaluation, silent_progress());
  EXPECT_TRUE(evaluated.metrics.empty());
  EXPECT_TRUE(evaluated.full.contains("recall@20"));
  EXPECT_THAT(input_error_of([&] { none.similar("i3", 5); }),
              HasSubstr("similar: the model has no vectors"));
  EXPECT_THAT(input_error_of([&] { embed(none, {}, at("e"), silent_progress()); }),
              HasSubstr("embed: the model has no vectors"));
}

TEST_F(FilterTraining, RefusesSenselessOptionsBeforeItWritesAnything) {
  TrainOptions options = filter_recipe();
  options.filter.power = 2.0F;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }), HasSubstr("filter.power is 2"));
  options = filter_recipe();
  options.validation_metric = "nonsense";
  EXPECT_THAT(input_error_of([&] { train(options, "m2"); }), HasSubstr("train.validation_metric"));
  EXPECT_FALSE(fs::exists(at("m")));
  EXPECT_FALSE(fs::exists(at("m2") / "manifest.json"));
}

TEST_F(FilterTraining, AnInterruptionLeavesNoFinishedModel) {
  penchant::testing::StopAfterUpdates progress(2);
  EXPECT_TRUE(train(filter_recipe(), "m", progress).interrupted);
  EXPECT_FALSE(fs::exists(at("m") / "manifest.json"));
  EXPECT_EQ(trials("m").size(), 2U);
}

}  // namespace
}  // namespace penchant::pipeline
