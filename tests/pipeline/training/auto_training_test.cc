// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_training.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/new_items.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/judge.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model.h"
#include "pipeline/model/upgrade.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/auto_state.h"
#include "pipeline/training/filter_search.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/shop.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::StopAfterUpdates;
using ::testing::HasSubstr;

class AutoTraining : public penchant::testing::SmallShopTest {
 protected:
  static TrainOptions auto_recipe() {
    TrainOptions options;
    options.model.kind = models::ModelKind::automatic;
    options.model.embedding_dim = 12;
    options.filter.rank = 16;
    options.distil = false;
    return options;
  }
  static TrainOptions distilling_recipe() {
    TrainOptions options = auto_recipe();
    options.distil = true;
    return options;
  }
  std::vector<json> lines(const std::string& name, const std::string& phase) const {
    std::vector<json> found;
    std::ifstream file(at(name) / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      json parsed = json::parse(line);
      if (parsed["phase"] == phase) found.push_back(std::move(parsed));
    }
    return found;
  }
  Model load(const std::string& name) { return Model::open(at(name), dataset(), backend()); }

  /// The most popular of `trials` within this share of the best; with none the first of the best.
  static json expected_choice(const std::vector<json>& trials, const char* what, double tolerance) {
    double best = 0.0;
    for (const json& trial : trials)
      best = std::max(best, trial["validation"]["ndcg@20"].get<double>());
    json chosen;
    double popularity = -1.0;
    for (const json& trial : trials) {
      const json& metrics = trial["validation"];
      if (metrics["ndcg@20"].get<double>() < (1.0 - tolerance) * best) continue;
      if (tolerance == 0.0) return trial[what];
      if (metrics["popularity@20"].get<double>() <= popularity) continue;
      popularity = metrics["popularity@20"].get<double>();
      chosen = trial[what];
    }
    return chosen;
  }
};

TEST_F(AutoTraining, WithoutTimesTakesTheMostPopularOfWhatIsNearlyBest) {
  Dataset timeless = read_dataset(data_path());
  timeless.split.train.interactions.time_ms.clear();
  timeless.split.validation.time_ms.clear();
  pipeline::train(timeless, graphs(), auto_recipe(), "", at("m"), backend(), silent_progress());
  const json model = manifest("m")["model"];
  EXPECT_EQ(model["filter"], expected_choice(lines("m", "select"), "filter", 0.01));
  EXPECT_EQ(model["mixture"], expected_choice(lines("m", "mix"), "mixture", 0.01));
}

TEST_F(AutoTraining, TakesTheBestWhereValidationIsLaterThanTraining) {
  const TrainReport report = train(auto_recipe(), "m");
  const json model = manifest("m")["model"];
  ASSERT_GE(lines("m", "select").size(), 5U);
  ASSERT_GE(lines("m", "mix").size(), 6U);
  EXPECT_EQ(model["filter"], expected_choice(lines("m", "select"), "filter", 0.0));
  EXPECT_EQ(model["mixture"], expected_choice(lines("m", "mix"), "mixture", 0.0));
  EXPECT_EQ(lines("m", "mix").front()["mixture"]["vectors"], false) << "the filter alone";
  EXPECT_EQ(manifest("m")["trained_on"], "train+validation");
  EXPECT_EQ(manifest("m")["chosen"], report.chosen);
  EXPECT_THAT(report.chosen, HasSubstr("mixtures tried"));
  EXPECT_FALSE(fs::exists(at("m") / "selection"));
}

TEST_F(AutoTraining, AModelReadBackScoresByTheFormula) {
  train(distilling_recipe(), "m");
  const json mixture = manifest("m")["model"]["mixture"];
  ASSERT_TRUE(mixture["vectors"].get<bool>());
  ASSERT_GT(mixture["filter_weight"].get<double>(), 0.0);
  const Model model = load("m");
  ASSERT_NE(model.scorer(), nullptr);
  EXPECT_EQ(model.layout(), (VectorLayout{12, 0, false, false})) << "distilled";

  const Graphs merged = make_graphs(train_and_validation(dataset()), dataset(), graphs().options);
  const graph::CsrView rows = merged.user_item.user_items.view();
  const Model vectors = Model::open(at("m") / "trained", dataset(), backend());
  models::GraphFilter filter(
      std::make_shared<models::FilterGraph>(
          rows,
          read_singular_vectors(at("m") / "weights.safetensors", dataset().num_items(), backend()),
          backend()),
      filter_from_json(manifest("m")["model"]["filter"]), backend());
  const std::vector<graph::NodeId> users = {0, 5, 6, 150};
  const kernels::IdView ids(users.data(), 4, kernels::Device::cpu);
  kernels::FloatMatrix got = backend().matrix<float>(dataset().num_items(), 4);
  kernels::FloatMatrix filtered = backend().matrix<float>(dataset().num_items(), 4);
  model.scorer()->score(ids, backend(), got.view());
  filter.score(ids, backend(), filtered.view());
  for (std::int64_t b = 0; b < 4; ++b) {
    const graph::NodeId user = users[static_cast<std::size_t>(b)];
    const double root = std::sqrt(std::max<double>(1.0, static_cast<double>(rows.row_size(user))));
    for (std::int64_t i = 0; i < got.rows(); ++i) {
      double product = 0.0;
      for (std::int64_t d = 0; d < 12; ++d)
        product += static_cast<double>(vectors.users()(user, d)) *
                   static_cast<double>(vectors.items()(i, d));
      const auto buyers = static_cast<double>(merged.user_item.item_users.view().row_size(i));
      product += mixture["popularity_weight"].get<double>() * std::log1p(buyers);
      const double filter_part =
          mixture["filter_weight"].get<double>() * static_cast<double>(filtered.view()(i, b));
      const double want = root * product + filter_part;
      EXPECT_NEAR(static_cast<double>(got.view()(i, b)), want,
                  1e-5 * (root + std::abs(filter_part) + 1.0));
    }
  }
}

TEST_F(AutoTraining, ServesEveryVerbOnModels) {
  train(distilling_recipe(), "m");
  const Model model = load("m");
  EvaluateOptions options;
  options.cutoffs = {20};
  options.ranking = Ranking::full;
  const double popularity =
      evaluate_popularity(dataset(), options, backend(), silent_progress()).metrics.at("recall@20");
  const EvaluateReport report = evaluate(model, options, silent_progress());
  EXPECT_GT(report.full.at("recall@20"), 1.3 * popularity);
  EXPECT_GT(report.metrics.at("recall@20"), popularity);
  EXPECT_EQ(model.recommend("u3", 5).size(), 5U);
  EXPECT_EQ(model.similar("i3", 5).size(), 5U);
  embed(model, {}, at("e"), silent_progress());
  EXPECT_TRUE(fs::exists(at("e") / "items.npy"));
}

TEST_F(AutoTraining, ItsVectorsLearnTheRankingOfTheMixture) {
  TrainOptions options = auto_recipe();
  options.refit = false;
  options.distil = false;
  train(options, "plain");
  EXPECT_FALSE(fs::exists(at("plain") / "distilled.safetensors"));
  EXPECT_EQ(load("plain").layout().popularity_column,
            manifest("plain")["model"]["mixture"]["popularity_weight"].get<double>() != 0.0);
  options.distil = true;
  const TrainReport report = train(options, "m");
  EXPECT_THAT(report.chosen, HasSubstr("vectors that learnt it"));
  const json validation = manifest("m")["validation"];
  const json plain = manifest("plain")["validation"];
  EXPECT_EQ(validation["full"], plain["full"]);
  EXPECT_GT(validation["vectors"].get<double>(), plain["vectors"].get<double>());
  // All users of so small a shop learn and judge: the number is the model's own.
  EvaluateOptions evaluation;
  evaluation.part = HeldOut::validation;
  evaluation.cutoffs = {20};
  const Model model = Model::open(at("m"), dataset(), backend(), KnownPart::train);
  EXPECT_NEAR(evaluate(model, evaluation, silent_progress()).metrics.at("ndcg@20"),
              validation["vectors"].get<double>(), 1e-9);
}

TEST_F(AutoTraining, ADecisionOfEarlierVersionsSaysNothingOfNewItems) {
  train(distilling_recipe(), "m");
  const fs::path file = at("m") / "choice.json";
  json choice = json::parse(read_text(file));
  const auto read_back = [&] {
    penchant::testing::write_text(file, choice.dump());
    return read_auto_state(file, choice["course"]);
  };
  EXPECT_EQ(read_back().new_items.value().weight, 1.0F);
  choice["new_items"] = {{"member", 0}, {"weight", 0.25}};
  EXPECT_EQ(read_back().new_items, (NewItemTeacher{0, 0.25F}));
  choice["new_items"]["member"] = choice["members"].size();
  EXPECT_THAT(input_error_of(read_back), HasSubstr("new_items"));
  choice.erase("new_items");
  EXPECT_FALSE(read_back().new_items.has_value());
}

TEST_F(AutoTraining, ItsVectorsLearnItemsThatNobodyHasTouched) {
  train(distilling_recipe(), "few");
  EXPECT_EQ(manifest("few")["model"]["distillation"]["new_items"], false) << "fewer than 20";
  std::string items = read_text(data_path().parent_path() / "items.csv");
  for (int item = 0; item < 40; ++item) items += fmt::format("new{},c{}\n", item, item % 4);
  penchant::testing::write_text(at("items.csv"), items);
  IngestOptions options;
  options.log.files = {data_path().parent_path() / "events.csv"};
  options.columns = {"user", "item", "time", "", "", ""};
  options.item_table = TableSource{{at("items.csv")}, {}};
  options.attributes = {penchant::testing::attribute("category")};
  options.repeats = RepeatPolicy::sum;
  ingest(options, at("shop.data"), silent_progress());
  const Dataset shop = read_dataset(at("shop.data"));
  // Whether learning pays hangs on rounding in so small a shop; of a few seeds it does of one.
  TrainOptions recipe = distilling_recipe();
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    recipe.seed = graph::Seed{seed};
    pipeline::train(shop, make_graphs(shop.split.train, shop, {}), recipe, "", at("m"), backend(),
                    silent_progress());
    if (manifest("m")["model"].contains("distillation")) break;
  }
  EXPECT_EQ(manifest("m")["model"]["distillation"]["new_items"], true);
  EXPECT_EQ(manifest("m")["model"]["distillation"]["new_items_by"]["weight"], 1.0)
      << "the usual: so few items are no rehearsal";
  // What is stored is what was learnt, not the regression's.
  const Model model = Model::open(at("m"), shop, backend());
  const models::TensorFile learnt = models::read_safetensors(at("m") / "distilled.safetensors");
  const kernels::ConstFloatView rows =
      learnt.find_finite("items", shop.num_items(), model.layout().width(), "distilled").view();
  kernels::FloatMatrix regressed = backend().matrix<float>(rows.rows, rows.cols);
  backend().copy(rows, regressed.view());
  const Graphs graphs = make_graphs(train_and_validation(shop), shop, {});
  models::fill_new_items(graphs.user_item, graphs.item, models::UnitLength::no, backend(),
                         regressed.view());
  const graph::NodeId item = shop.items.find("new3");
  double apart = 0.0;
  for (std::int64_t j = 0; j < rows.cols; ++j) {
    EXPECT_EQ(model.items()(item, j), rows(item, j));
    apart += std::abs(static_cast<double>(rows(item, j) - regressed.view()(item, j)));
  }
  EXPECT_GT(apart, 1e-3);
}

TEST_F(AutoTraining, NothingLearnsWhereNothingCanBeJudgedOrLearnt) {
  const auto learns = [&](const TrainOptions& options) {
    fs::remove_all(at("m"));
    train(options, "m");
    return fs::exists(at("m") / "distilled.safetensors");
  };
  EXPECT_TRUE(learns(distilling_recipe()));
  TrainOptions options = distilling_recipe();
  options.validate_every = 0;
  EXPECT_FALSE(learns(options));
  options = distilling_recipe();
  options.model.new_item_columns = 3;
  EXPECT_FALSE(learns(options));
  EXPECT_EQ(load("m").layout().new_item_columns, 4) << "and one of popularity";
  options = distilling_recipe();
  options.filter.kind = models::FilterKind::linear;
  options.filter.rank = 0;
  options.budget.seconds = 1;
  learns(options);  // with or without vectors: it must end in a model
  EXPECT_NO_THROW(load("m"));
}

TEST_F(AutoTraining, ABegunTrainingOfAnotherKindIsNotThrownAway) {
  TrainOptions steps = recipe();
  penchant::testing::StopAfter progress(3);
  ASSERT_TRUE(train(steps, "m", progress).interrupted);
  const fs::path begun = resumable_training(at("m"));
  ASSERT_FALSE(begun.empty());
  const std::string checkpoint = read_text(begun / "checkpoint.safetensors");
  TrainOptions options = auto_recipe();
  options.resume = true;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }), HasSubstr("another kind of model"));
  EXPECT_EQ(read_text(begun / "checkpoint.safetensors"), checkpoint);
  steps.resume = true;
  EXPECT_FALSE(train(steps, "m").interrupted);

  options.resume = false;
  StopAfterUpdates impatient(3);
  ASSERT_TRUE(train(options, "a", impatient).interrupted);
  EXPECT_THAT(input_error_of([&] { train(steps, "a"); }), HasSubstr("another kind of model"));
  options.resume = true;
  EXPECT_FALSE(train(options, "a").interrupted);
}

TEST_F(AutoTraining, AnUpgradeKeepsWhatTheVectorsLearnt) {
  train(distilling_recipe(), "m");
  const std::string users = read_text(at("m") / "vectors" / "users.npy");
  const std::string items = read_text(at("m") / "vectors" / "items.npy");
  fs::remove(at("m") / "vectors" / "items.npy");
  EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
  EXPECT_EQ(read_text(at("m") / "vectors" / "users.npy"), users);
  EXPECT_EQ(read_text(at("m") / "vectors" / "items.npy"), items);
  fs::remove(at("m") / "distilled.safetensors");
  EXPECT_THAT(input_error_of([&] { load("m"); }), HasSubstr("distilled.safetensors"));
}

TEST_F(AutoTraining, SameSeedSameBytes) {
  train(distilling_recipe(), "one");
  train(distilling_recipe(), "two");
  for (const char* file : {"weights.safetensors", "trained/weights.safetensors",
                           "distilled.safetensors", "metrics.jsonl"})
    EXPECT_EQ(read_text(at("one") / file), read_text(at("two") / file)) << file;
  EXPECT_EQ(manifest("one")["hash"], manifest("two")["hash"]);
}

TEST_F(AutoTraining, AnInterruptedRunGoesOnToTheSameBytes) {
  StopAfterUpdates patient;
  train(distilling_recipe(), "whole", patient);
  TrainOptions options = distilling_recipe();
  // In the filter's search, in the training of the selection, in both distillations and the refit
  // between them.
  for (const std::int64_t updates : {std::int64_t{3}, patient.updates() / 3, patient.updates() / 2,
                                     patient.updates() * 3 / 4, patient.updates() - 5}) {
    options.resume = false;
    fs::remove_all(at("m"));
    StopAfterUpdates progress(updates);
    ASSERT_TRUE(train(options, "m", progress).interrupted) << updates;
    EXPECT_FALSE(fs::exists(at("m") / "manifest.json"));
    options.resume = true;
    EXPECT_FALSE(train(options, "m").interrupted);
    for (const char* file : {"weights.safetensors", "trained/weights.safetensors",
                             "distilled.safetensors", "metrics.jsonl"})
      EXPECT_EQ(read_text(at("whole") / file), read_text(at("m") / file)) << file << updates;
    EXPECT_EQ(manifest("whole")["hash"], manifest("m")["hash"]);
  }
}

TEST_F(AutoTraining, DoesNotGoOnUnderOtherOptions) {
  TrainOptions options = auto_recipe();
  StopAfterUpdates progress(3);
  ASSERT_TRUE(train(options, "m", progress).interrupted);
  options.resume = true;
  options.seed = graph::Seed{7};
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }), HasSubstr("cannot resume: seed was"));
  options.seed = auto_recipe().seed;
  options.model.embedding_dim /= 2;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }),
              HasSubstr("cannot resume: training was"));
  options.model.embedding_dim *= 2;
  options.filter.power = 0.9F;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }),
              HasSubstr("cannot resume: filter_power was"));
}

TEST_F(AutoTraining, WithoutValidationTakesTheFiltersStart) {
  TrainOptions options = auto_recipe();
  options.validate_every = 0;
  const TrainReport report = train(options, "m");
  EXPECT_FALSE(report.validated);
  EXPECT_THAT(report.chosen, HasSubstr("there is no validation part"));
  EXPECT_EQ(manifest("m")["model"]["mixture"]["vectors"], false);
  EXPECT_FALSE(fs::exists(at("m") / "trained"));
  EXPECT_EQ(load("m").items().cols, 12);
  EXPECT_NE(load("m").scorer(), nullptr);
}

TEST_F(AutoTraining, WithoutRefitKeepsWhatTheTrainingPartGave) {
  TrainOptions options = auto_recipe();
  options.refit = false;
  train(options, "m");
  EXPECT_EQ(manifest("m")["trained_on"], "train");
  EXPECT_NO_THROW(load("m"));
}

TEST_F(AutoTraining, RefusesSenselessOptionsBeforeItWritesAnything) {
  TrainOptions options = auto_recipe();
  options.filter.power = 2.0F;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }), HasSubstr("filter.power is 2"));
  EXPECT_FALSE(fs::exists(at("m")));
}

TEST_F(AutoTraining, ASearchOutOfTimeKeepsItsFirstTrial) {
  TrainOptions options = auto_recipe();
  const FilterSearchResult search = search_filter(dataset(), graphs(), options, backend(),
                                                  silent_progress(), [] { return true; });
  EXPECT_EQ(search.trials.size(), 1U);
  EXPECT_EQ(filter_to_json(search.best), filter_to_json(search.trials.front().filter));
}

class Networks : public AutoTraining {
 protected:
  static TrainOptions usual() {
    TrainOptions options;
    options.validation_metric = "recall@5";
    options.model.embedding_dim = 8;
    options.seed = graph::Seed{9};
    options.validate_every = 2;
    options.checkpoint_every = 7;
    options.resume = true;
    return options;
  }
};

TEST_F(Networks, AreConsideredWhereWhatIsHeldOutComesLater) {
  EXPECT_GT(network_operations(dataset(), usual()), 0.0);
  Dataset repeating = read_dataset(data_path());
  repeating.repeats_allowed = true;
  EXPECT_GT(network_operations(repeating, usual()), 0.0);
  Dataset timeless = read_dataset(data_path());
  timeless.split.train.interactions.time_ms.clear();
  EXPECT_EQ(network_operations(timeless, usual()), 0.0);
  Dataset single = read_dataset(data_path());
  graph::Interactions& rows = single.split.train.interactions;
  const auto last = std::unique(rows.user.begin(), rows.user.end());  // only their users count
  rows.user.erase(last, rows.user.end());
  rows.item.resize(rows.user.size());
  rows.time_ms.assign(rows.user.size(), 0);
  EXPECT_EQ(network_operations(single, usual()), 0.0) << "no user has a next event";
}

TEST_F(Networks, AreNotConsideredWhereTheMixtureWasSpokenOf) {
  const auto considered = [&](const auto& change) {
    TrainOptions options = usual();
    change(options);
    return network_operations(dataset(), options) > 0.0;
  };
  EXPECT_TRUE(considered([](TrainOptions&) {}));
  EXPECT_TRUE(considered([](TrainOptions& options) { options.blend_repeats = false; }));
  EXPECT_FALSE(considered([](TrainOptions& options) { options.filter.rank = 16; }));
  EXPECT_FALSE(considered([](TrainOptions& options) { options.filter.sharpening_steps = 3; }));
  EXPECT_FALSE(considered([](TrainOptions& options) { options.learning_rate *= 2.0F; }));
  EXPECT_FALSE(considered([](TrainOptions& options) { options.model.new_item_columns = 4; }));
  EXPECT_FALSE(considered([](TrainOptions& options) { options.validate_every = 0; }));
}

TEST_F(Networks, ArePlannedWithTheOptionsThatEveryKindHas) {
  AutoPlan plan;
  plan.networks = 2;
  plan.network_epochs = 17;
  const std::vector<TrainOptions> members = planned_members(plan, usual());
  ASSERT_EQ(members.size(), 1U) << "further ones are trained in the end";
  for (const TrainOptions& member : members) {
    EXPECT_EQ(member.model.kind, models::ModelKind::interest);
    EXPECT_EQ(member.model.embedding_dim, 8);
    EXPECT_EQ(member.validation_metric, "recall@5");
    EXPECT_EQ(member.validate_every, 2);
    EXPECT_EQ(member.checkpoint_every, 7);
    EXPECT_EQ(member.epochs, 17);
    EXPECT_FALSE(member.blend_filter || member.blend_repeats || member.calibrate_popularity);
    EXPECT_FALSE(member.refit) << "the mixture does it";
  }
  EXPECT_EQ(members[0].seed, usual().seed);
  plan.epochs = 3;
  const TrainOptions graph = planned_members(plan, usual()).back();
  EXPECT_EQ(graph.model.kind, models::ModelKind::lightgcn);
  EXPECT_EQ(graph.epochs, 3);
}

TEST(NetworkPlan, HasMoreNetworksAndEpochsWithTheBudget) {
  PlanSizes sizes;
  sizes.num_users = 20'000;
  sizes.num_items = 12'000;
  sizes.num_entries = 150'000;
  sizes.propagated = 300'000;
  sizes.embedding_dim = 64;
  sizes.num_layers = 3;
  sizes.num_negatives = 1024;
  sizes.steps_per_epoch = 64;
  sizes.num_threads = 2;
  sizes.network_operations = 3e11;
  AutoPlan last;
  for (const double budget : {5.0, 60.0, 150.0, 300.0, 1000.0}) {
    const AutoPlan plan = plan_auto(sizes, budget);
    EXPECT_GE(plan.networks, last.networks);
    EXPECT_GE(plan.networks * plan.network_epochs, last.networks * last.network_epochs);
    if (plan.networks > 0) {
      EXPECT_EQ(plan.epochs, 0) << "nothing repeats";
      EXPECT_GT(plan.distilled_users, 0);
      EXPECT_LE(plan.seconds, budget);
    }
    last = plan;
  }
  EXPECT_EQ(plan_auto(sizes, 5.0).networks, 0);
  EXPECT_EQ(last.networks, 4);
  sizes.graph_beside_networks = true;
  EXPECT_GT(plan_auto(sizes, 300.0).epochs, 0);
  EXPECT_LT(plan_auto(sizes, 300.0).networks * plan_auto(sizes, 300.0).network_epochs,
            last.networks * last.network_epochs);
}

PlanSizes gowalla() {
  PlanSizes sizes;
  sizes.num_users = 29'858;
  sizes.num_items = 40'981;
  sizes.num_entries = 727'869;
  sizes.propagated = 2 * sizes.num_entries;
  sizes.embedding_dim = 64;
  sizes.num_layers = 3;
  sizes.num_negatives = 1024;
  sizes.steps_per_epoch = 89;
  sizes.num_threads = 2;
  return sizes;
}

/// Of a shop whose users have the same things again.
PlanSizes shop_of(std::int64_t users, std::int64_t items, std::int64_t entries,
                  std::int64_t steps_per_epoch) {
  PlanSizes sizes = gowalla();
  sizes.num_users = users;
  sizes.num_items = items;
  sizes.num_entries = entries;
  sizes.propagated = 2 * entries;
  sizes.steps_per_epoch = steps_per_epoch;
  sizes.repeats = true;
  return sizes;
}

TEST(AutoPlan, LeavesVectorsOfTheGraphAMinuteByAShorterTrialWhereUsersAreMany) {
  const AutoPlan plan = plan_auto(gowalla(), 60.0);
  EXPECT_GT(plan.epochs, 0);
  EXPECT_GT(plan.distilled_users, 0);
  PlanSizes few = gowalla();
  few.num_users = 10'000;
  for (const double budget : {30.0, 60.0, 90.0}) {
    const AutoPlan of_few = plan_auto(few, budget);
    EXPECT_TRUE(of_few.epochs == 0 || of_few.distilled_epochs >= 160)
        << "few users have to come often: " << budget;
  }
}

TEST(AutoPlan, GrowsWithTheBudgetAndKeepsIt) {
  AutoPlan last;
  for (const double budget : {5.0, 20.0, 60.0, 120.0, 300.0, 1000.0}) {
    const AutoPlan plan = plan_auto(gowalla(), budget);
    EXPECT_GE(plan.epochs, last.epochs);
    EXPECT_GE(plan.seconds, last.seconds);
    EXPECT_LE(plan.seconds, budget);
    last = plan;
  }
  EXPECT_EQ(plan_auto(gowalla(), 15.0).epochs, 0);
  EXPECT_GE(last.epochs, 8);
}

/// The whole log behind `make demo`: a step of all items would cost more than all else.
TEST(AutoPlan, VectorsLearnTheMixtureOfALargeCatalogueOfFewUsersInAMinute) {
  const AutoPlan plan = plan_auto(shop_of(2'469, 92'332, 800'000, 98), 60.0);
  EXPECT_GT(plan.distilled_users, 0);
  EXPECT_LE(plan.seconds, 60.0);
}

/// A quarter of it, products sold ten times: what is left of 30 s is too little for 160 epochs.
TEST(AutoPlan, VectorsLearnTheMixtureForFewerEpochsWhereThereIsLessTime) {
  const AutoPlan plan = plan_auto(shop_of(2'310, 8'616, 158'712, 78), 30.0);
  EXPECT_GT(plan.distilled_users, 0);
  EXPECT_LT(plan.distilled_epochs, 160);
  EXPECT_LE(plan.seconds, 30.0);
}

TEST(AutoPlan, CountsWhatIsTriedBesideTheMixture) {
  PlanSizes sizes = gowalla();
  const AutoPlan without = plan_auto(sizes, 1e6);
  sizes.repeats = true;
  const AutoPlan with = plan_auto(sizes, 1e6);
  EXPECT_EQ(with.epochs, without.epochs);
  EXPECT_GT(with.seconds, without.seconds);
}

TEST(AutoPlan, RegressesWhereUsersHaveThingsAgain) {
  PlanSizes sizes = gowalla();
  EXPECT_FALSE(plan_auto(sizes, 300.0).ridge);
  sizes.repeats = true;
  const AutoPlan plan = plan_auto(sizes, 300.0);
  EXPECT_TRUE(plan.ridge);
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.filter.power = 0.25F;
  const TrainOptions ridge = planned_members(plan, options).back();
  EXPECT_EQ(ridge.model.kind, models::ModelKind::graph_filter);
  EXPECT_EQ(ridge.filter.kind, models::FilterKind::ridge);
  EXPECT_FALSE(ridge.filter.power.has_value()) << "of the filter beside it";
  sizes.num_items = 100;
  EXPECT_FALSE(plan_auto(sizes, 300.0).ridge) << "too few for 64 directions";
}

TEST(AutoPlan, TakesTheSmallestWhereNothingFits) {
  const AutoPlan plan = plan_auto(gowalla(), 0.001);
  EXPECT_EQ(plan.epochs, 0);
  EXPECT_GE(plan.rank, 1);
  EXPECT_GT(plan.seconds, 0.001);
}

TEST(AutoPlan, HoldsNoLargerTableThanAQuarterGibibyte) {
  PlanSizes sizes = gowalla();
  sizes.num_items = 200'000;
  EXPECT_LE(plan_auto(sizes, 1e6).selection_users * sizes.num_items * 4, std::int64_t{256} << 20);
}

}  // namespace
}  // namespace penchant::pipeline
