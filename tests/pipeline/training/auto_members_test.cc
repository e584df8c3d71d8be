// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_members.h"

#include <cmath>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/random.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/judge.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/model.h"
#include "pipeline/model/people_vectors.h"
#include "pipeline/model/taught_lists.h"
#include "pipeline/model/upgrade.h"
#include "pipeline/training/auto_distillation.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::StopAfterUpdates;
using ::testing::HasSubstr;

/// Everybody goes around a ring of items from somewhere: only the order says what comes next.
class Walks : public penchant::testing::IngestTest {
 protected:
  static constexpr std::int64_t kItems = 60;
  Dataset walks() {
    const graph::Random random(graph::Seed{5}, graph::Stream::generator);
    std::string log = "user,item,time\n";
    for (std::int64_t user = 0; user < 150; ++user) {
      const auto start = static_cast<std::int64_t>(
          random.below(static_cast<std::uint64_t>(user), static_cast<std::uint64_t>(kItems)));
      for (std::int64_t step = 0; step < 8; ++step) {
        log += fmt::format("u{},i{},{}\n", user, (start + step) % kItems,
                           1'600'000'000 + 1000 * step + user);
      }
    }
    IngestOptions options;
    options.split_method = graph::SplitMethod::leave_one_out;
    return ingest_text(log, options);
  }
  static TrainOptions usual() {
    TrainOptions options;
    options.model.embedding_dim = 8;
    options.validation_metric = "ndcg@10";
    return options;
  }
};

/// By a mixture of networks, and by the vectors that learnt it.
void expect_people_are_ranked_as_users(const Model& whole) {
  const Dataset& dataset = whole.dataset();
  // Someone with a user's history has the user's scores: the networks make vectors of it.
  for (const graph::NodeId user : {0, 7}) {
    std::vector<std::string_view> history;
    for (const graph::NodeId item : known_items(dataset, user))
      history.push_back(dataset.items.raw(item));
    const auto want = whole.recommend(dataset.users.raw(user), 5, SeenItems::keep, Ranking::full);
    const auto got = whole.recommend_for_history(history, 5, SeenItems::keep, Ranking::full);
    for (std::size_t k = 0; k < want.size(); ++k)
      EXPECT_NEAR(got.at(k).score, want[k].score, 1e-4 * std::abs(want[k].score)) << k;
  }
  // The vectors that learnt the sum are asked with one that learnt its list.
  const Histories people = history_of_items(std::vector<graph::NodeId>{11, 12, 13});
  const graph::Csr rows = {1, dataset.num_items(), {0, 3}, {11, 12, 13}, {}};
  const graph::Csr list = shares_of_lists(whole.history_scores(people).view(), rows.view(),
                                          kNetworkListTemperature, whole.backend());
  const PeopleVectors taught({whole.users(), whole.items(), whole.layout()}, kTaughtTemperature,
                             nullptr, whole.backend());
  const kernels::FloatMatrix want = taught.of(list.view(), rows.view(), whole.backend());
  const kernels::FloatMatrix got = whole.history_vectors(people);
  for (std::int64_t j = 0; j < whole.layout().width(); ++j)
    EXPECT_NEAR(got.view()(0, j), want.view()(0, j), 1e-5F);
}

TEST_F(Walks, NetworksStandInTheMixtureAndTheVectorsLearnIt) {
  const Dataset dataset = walks();
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const TrainReport report =
      train(dataset, graphs, usual(), "", at("m"), *backend, silent_progress());
  const json model = manifest("m")["model"];
  ASSERT_EQ(model["kind"], "auto");
  const std::size_t networks = manifest("m")["plan"]["networks"];
  ASSERT_GE(networks, 2U);
  EXPECT_EQ(model["members"].size(), networks);
  std::vector<json> seeds;
  for (std::size_t k = 0; k < model["members"].size(); ++k) {
    const json& member = model["members"][k];
    EXPECT_EQ(member["folder"], member_folder(k));
    EXPECT_EQ(member["kind"], "interest");
    EXPECT_DOUBLE_EQ(member["weight"].get<double>(), 1.0 / static_cast<double>(networks));
    seeds.push_back(manifest("m/" + member_folder(k))["course"]["seed"]);
    const json own = manifest("m/" + member_folder(k));
    EXPECT_EQ(own["trained_on"], "train+validation");
    EXPECT_GT(own["best_epoch"], 0);
  }
  EXPECT_FALSE(fs::exists(at("m") / "selection"));
  std::sort(seeds.begin(), seeds.end());
  EXPECT_EQ(std::unique(seeds.begin(), seeds.end()), seeds.end());
  EXPECT_THAT(report.chosen, HasSubstr("networks of sequences"));
  EXPECT_GT(report.best_epoch, 0);
  EXPECT_GT(report.best_validation, 0.6) << "the next item is nearly certain";
  EXPECT_GT(manifest("m")["validation"]["vectors"].get<double>(), 0.6);

  const Model whole = Model::open(at("m"), dataset, *backend);
  EXPECT_EQ(whole.layout(), (VectorLayout{8, 0, false, false})) << "as wide as one network's";
  EXPECT_EQ(whole.score_meaning(), "probability");
  EXPECT_TRUE(whole.has_scorer()) << "the sum of the members";
  EvaluateOptions options;
  options.cutoffs = {10};
  EXPECT_GT(evaluate(whole, options, silent_progress()).metrics.at("ndcg@10"), 0.6);

  expect_people_are_ranked_as_users(whole);
  // Who reads no more of the data set than look-ups need gets the same.
  const Dataset known = read_dataset(dataset.directory, DatasetUse::lookup);
  const Model look_up = Model::open(at("m"), known, *backend);
  const std::vector<std::string_view> history = {"i11", "i12", "i13"};
  for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
    const auto all = whole.recommend_for_history(history, 3, SeenItems::automatic, ranking);
    const auto few = look_up.recommend_for_history(history, 3, SeenItems::automatic, ranking);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(few.at(k).item, all.at(k).item);
  }

  // An upgrade writes the members anew, too.
  const std::string items = read_text(at("m") / "vectors" / "items.npy");
  fs::remove(at("m") / "trained2" / "vectors" / "items.npy");
  EXPECT_THAT(input_error_of([&] { Model::open(at("m"), dataset, *backend); }),
              HasSubstr("trained2"));
  EXPECT_TRUE(upgrade_model(at("m"), dataset, *backend, silent_progress()).written);
  EXPECT_EQ(read_text(at("m") / "vectors" / "items.npy"), items);
  EXPECT_NO_THROW(Model::open(at("m"), dataset, *backend));
}

TEST_F(Walks, FurtherNetworksAreLeftOutWhereTheTimeIsSpent) {
  const Dataset dataset = walks();
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const Graphs merged = make_graphs(train_and_validation(dataset), dataset, {});
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  AutoPlan plan;
  plan.networks = 3;
  plan.network_epochs = 2;
  AutoMembers members(dataset, planned_members(plan, usual()), *backend, silent_progress());
  const std::vector<ChosenMember> chosen = {{0, 1.5}};
  ASSERT_TRUE(members.select(graphs, at("m"), false));
  ASSERT_TRUE(members.finish(chosen, &merged, at("m"), false));
  EXPECT_TRUE(members.add_networks(chosen, 3, merged, at("m"), false, [] { return 0.0; }));
  ASSERT_EQ(members.finished(chosen, at("m")).size(), 1U);
  EXPECT_EQ(members.finished(chosen, at("m")).front().weight, 1.5);
  int asked = 0;
  const auto one_more = [&] { return ++asked == 1 ? 1e9 : 0.0; };
  EXPECT_TRUE(members.add_networks(chosen, 3, merged, at("m"), false, one_more));
  ASSERT_EQ(members.finished(chosen, at("m")).size(), 2U);
  EXPECT_EQ(members.finished(chosen, at("m")).back().folder, "trained2");
  EXPECT_EQ(members.finished(chosen, at("m")).back().weight, 0.75);

  // Both networks and nothing else are a teacher too: on REES46 validation wanted no filter.
  const std::vector<Model> models = members.selected(at("m"));
  MemberVectors trained = {{}, joined_models(models, chosen, *backend), true};
  const FinishedVectors& first = trained.first;
  const WeightedVectors twice[] = {{{first.users.view(), first.items.view(), first.layout}, 0.5},
                                   {{first.users.view(), first.items.view(), first.layout}, 0.5}};
  trained.sum = joined(twice, *backend);
  trained.widths = {first.layout.embedding_dim, first.layout.embedding_dim};
  for (const std::int64_t member : {0, 1}) {
    const VectorViews views = trained.member(static_cast<std::size_t>(member));
    const std::int64_t before = member * first.layout.embedding_dim;
    EXPECT_EQ(views.items.cols, first.layout.embedding_dim);
    EXPECT_EQ(&views.items(0, 0), &trained.sum.items.view()(0, before));
    EXPECT_EQ(&views.users(0, 0), &trained.sum.users.view()(0, before));
  }
  AutoState state;
  state.mixture = Mixture{true, 0.0, 0.0};
  state.repeats = RepeatBlend{};
  const RankingTask task = make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic);
  const auto learnt = distil_mixture({&trained, nullptr, KnownPart::train}, state, dataset, graphs,
                                     task.users, 320, usual(), *backend, silent_progress());
  ASSERT_TRUE(learnt.has_value());
  // Two that say the same have no more directions than one: the start is the first's own.
  const Vectors start = first_vectors({&trained, nullptr, KnownPart::train}, state,
                                      first.layout.embedding_dim, *backend);
  EXPECT_EQ(start.items.cols(), first.layout.embedding_dim);
  state.learns = false;
  const auto factors = distil_mixture({&trained, nullptr, KnownPart::train}, state, dataset, graphs,
                                      task.users, 320, usual(), *backend, silent_progress());
  ASSERT_TRUE(factors.has_value());
  EXPECT_FALSE(factors->new_items);
  EXPECT_EQ(factors->vectors.items.view()(3, 0), start.items.view()(3, 0)) << "nothing is learnt";
  const std::string metric = "ndcg@10";
  const Judge judge(task, dataset.item_statistics.count, metric, *backend);
  EXPECT_GT(judge(learnt->vectors.users.view(), learnt->vectors.items.view()).value,
            0.9 * judge(first.users.view(), first.items.view()).value);
}

TEST_F(Walks, ARidgeRegressionIsAMemberOfItsOwn) {
  const Dataset dataset = walks();
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const Graphs merged = make_graphs(train_and_validation(dataset), dataset, {});
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  AutoPlan plan;
  plan.ridge = true;
  AutoMembers members(dataset, planned_members(plan, usual()), *backend, silent_progress());
  const std::vector<ChosenMember> chosen = {{0, 1.0}};
  ASSERT_TRUE(members.select(graphs, at("m"), false));
  const std::vector<Model> selected = members.selected(at("m"));
  ASSERT_EQ(selected.size(), 1U);
  EXPECT_FALSE(selected.front().saw_validation());
  EXPECT_EQ(selected.front().graph_options().user_item.weight, graph::EdgeWeight::log_sum);
  const RankingTask task = make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic);
  const std::string metric = "ndcg@10";
  const Judge judge(task, dataset.item_statistics.count, metric, *backend);
  EXPECT_GT(judge(selected.front().users(), selected.front().items()).value, 0.1);

  ASSERT_TRUE(members.finish(chosen, &merged, at("m"), false));
  ASSERT_EQ(members.finished(chosen, at("m")).size(), 1U);
  EXPECT_EQ(members.finished(chosen, at("m")).front().kind, models::ModelKind::graph_filter);
  EXPECT_EQ(members.best_epoch(at("m")), 0);
  EXPECT_EQ(members.first_learnt(chosen), 0U) << "no other";
  plan.epochs = 2;
  const std::vector<TrainOptions> planned = planned_members(plan, usual());
  ASSERT_EQ(planned.size(), 2U);
  ASSERT_EQ(planned[1].model.kind, models::ModelKind::graph_filter);
  const AutoMembers both(dataset, planned, *backend, silent_progress());
  EXPECT_EQ(both.first_learnt(std::vector<ChosenMember>{{0, 1.0}, {1, 1.0}}), 0U);
  EXPECT_EQ(both.first_learnt(std::vector<ChosenMember>{{1, 1.0}, {0, 1.0}}), 1U);
  const Model model = Model::open(at("m") / "trained", dataset, *backend);
  EXPECT_TRUE(model.saw_validation());
  // It may be the first, whose vectors are the model's where nothing is learnt.
  const json whole = {{"model",
                       {{"mixture", Mixture{true, 0.5, 0.0}.to_json()},
                        {"members", members_to_json(members.finished(chosen, at("m")))}}}};
  const FinishedVectors own =
      auto_vectors(at("m"), whole, dataset, merged, *backend, KnownPart::train_and_validation);
  ASSERT_EQ(own.items.cols(), model.items().cols + 1) << "and popularity";
  for (std::int64_t item = 0; item < dataset.num_items(); ++item)
    EXPECT_EQ(own.items.view()(item, 0), model.items()(item, 0));
}

TEST_F(Walks, WithoutARefitWhatIsKnownIsTheTrainingPart) {
  const Dataset dataset = walks();
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  TrainOptions options = usual();
  options.refit = false;
  train(dataset, graphs, options, "", at("m"), *backend, silent_progress());
  const json validation = manifest("m")["validation"];
  EvaluateOptions evaluation;
  evaluation.part = HeldOut::validation;
  evaluation.cutoffs = {10};
  evaluation.ranking = Ranking::full;
  const Model model = Model::open(at("m"), dataset, *backend, KnownPart::train);
  const EvaluateReport report = evaluate(model, evaluation, silent_progress());
  EXPECT_NEAR(report.metrics.at("ndcg@10"), validation["vectors"].get<double>(), 1e-6);
  EXPECT_NEAR(report.full.at("ndcg@10"), validation["full"].get<double>(), 1e-6)
      << "the networks know the training part alone";
}

TEST_F(Walks, AnInterruptedRunGoesOnToTheSameBytes) {
  const Dataset dataset = walks();
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  StopAfterUpdates patient;
  train(dataset, graphs, usual(), "", at("whole"), *backend, patient);
  TrainOptions options = usual();
  // In a refit, and in one of the further networks.
  for (const double share : {0.35, 0.7}) {
    options.resume = false;
    StopAfterUpdates progress(
        static_cast<std::int64_t>(share * static_cast<double>(patient.updates())));
    ASSERT_TRUE(train(dataset, graphs, options, "", at("m"), *backend, progress).interrupted);
    options.resume = true;
    EXPECT_FALSE(
        train(dataset, graphs, options, "", at("m"), *backend, silent_progress()).interrupted);
    for (const char* file : {"trained/weights.safetensors", "trained2/weights.safetensors",
                             "distilled.safetensors", "metrics.jsonl"})
      EXPECT_EQ(read_text(at("whole") / file), read_text(at("m") / file)) << file << share;
    EXPECT_EQ(manifest("whole")["hash"], manifest("m")["hash"]);
    fs::remove_all(at("m"));
  }
}

TEST(FirstVectors, OfSeveralMembersAreTheLeadingFactorsOfTheirSum) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const auto matrix = [&](std::vector<float> values, std::int64_t cols) {
    const auto rows = static_cast<std::int64_t>(values.size()) / cols;
    kernels::FloatMatrix copy = backend->matrix<float>(rows, cols);
    backend->copy(kernels::ConstFloatView(values.data(), rows, cols, cols, kernels::Device::cpu),
                  copy.view());
    return copy;
  };
  MemberVectors members;
  members.sum = {
      matrix({1, 2, 3, 4, -1, 5}, 2), matrix({5, 6, 7, -8, 2, 1}, 2), {2, 0, false, false}};
  members.first = {matrix({1, 3, -1}, 1), matrix({5, 7, 2}, 1), {1, 0, false, false}};
  AutoState state;
  const Vectors whole = first_vectors({&members, nullptr, KnownPart::train}, state, 2, *backend);
  for (std::int64_t user = 0; user < 3; ++user) {
    for (std::int64_t item = 0; item < 3; ++item) {
      float want = 0.0F;
      float got = 0.0F;
      for (std::int64_t d = 0; d < 2; ++d) {
        want += members.sum.users.view()(user, d) * members.sum.items.view()(item, d);
        got += whole.users.view()(user, d) * whole.items.view()(item, d);
      }
      EXPECT_NEAR(got, want, 1e-4);
    }
  }
  EXPECT_EQ(first_vectors({&members, nullptr, KnownPart::train}, state, 1, *backend).users.cols(),
            1);
}

TEST(Joined, GivesTheWeightedSumOfInnerProducts) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const std::vector<float> users_a = {1, 2, 3, 4}, items_a = {5, 6, 7, 8};  // [2 x 2]
  const std::vector<float> users_b = {2, -1}, items_b = {10, 3};            // [2 x 1]
  const auto view = [](const std::vector<float>& values, std::int64_t cols) {
    return kernels::ConstFloatView(values.data(), 2, cols, cols, kernels::Device::cpu);
  };
  // The last column of the first is its popularity, which is left out.
  const VectorViews a = {view(users_a, 2), view(items_a, 2), {1, 0, true, false}};
  const VectorViews b = {view(users_b, 1), view(items_b, 1), {1, 0, false, false}};
  const WeightedVectors both[] = {{a, 0.5}, {b, 4.0}};
  const FinishedVectors sum = joined(both, *backend);
  EXPECT_EQ(sum.layout, (VectorLayout{2, 0, false, false}));
  const auto product = [&](std::int64_t user, std::int64_t item) {
    float value = 0.0F;
    for (std::int64_t d = 0; d < 2; ++d)
      value += sum.users.view()(user, d) * sum.items.view()(item, d);
    return value;
  };
  EXPECT_FLOAT_EQ(product(0, 0), 0.5F * 1 * 5 + 4 * 2 * 10);
  EXPECT_FLOAT_EQ(product(1, 0), 0.5F * 3 * 5 - 4 * 1 * 10);
  EXPECT_FLOAT_EQ(product(1, 1), 0.5F * 3 * 7 - 4 * 1 * 3);
}

}  // namespace
}  // namespace penchant::pipeline
