// SPDX-License-Identifier: Apache-2.0
// A town of circles of friends: who belongs to one likes what the others of it like.
#include "pipeline/choice/link_choice.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/random.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/explain/explainer.h"
#include "pipeline/model/model.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "pipeline/training/update.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::IngestTest;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr int kUsers = 240;
constexpr int kCircle = 6;     // people in a circle
constexpr int kOwnItems = 48;  // of a circle

class LinkChoice : public IngestTest {
 protected:
  /// Friends are those of one's circle, or anybody.
  Dataset town(bool true_friends) {
    std::string log = "user,item,time\n";
    std::string links = "who,whom\n";
    for (int user = 0; user < kUsers; ++user) {
      const int circle = user / kCircle;
      const graph::Permutation order(graph::Seed{1}, graph::Stream::distillation,
                                     static_cast<std::uint64_t>(user), kOwnItems);
      for (int event = 0; event < 8; ++event)
        log += fmt::format("u{},i{},{}\n", user,
                           circle * kOwnItems + order(static_cast<std::uint64_t>(event)),
                           1000 + event * kUsers + user);
      for (int other = user + 1; other < (circle + 1) * kCircle; ++other) {
        const int whom = true_friends ? other : (user * 37 + other * 101 + 13) % kUsers;
        links += fmt::format("u{},u{}\n", user, whom);
      }
    }
    IngestOptions options;
    options.split_method = graph::SplitMethod::random_per_user;
    options.test_fraction = 0.2;
    options.validation_fraction = 0.2;
    options.repeats = RepeatPolicy::keep_first;
    LinkTable table;
    table.source.files = {write("links.csv", links)};
    table.name = "friends";
    table.from = "who";
    table.to = "whom";
    options.links = {table};
    return ingest_text(log, options);
  }
  TrainReport train_on(const Dataset& dataset, const std::string& name, models::ModelKind kind,
                       const GraphOptions& graph = {}, bool blend_links = true) {
    TrainOptions options = recipe_of(kind);
    options.model.embedding_dim = 8;
    options.epochs = 3;
    options.batch_size = 512;
    options.num_negatives = 64;
    options.retry_lower_rate = false;
    options.blend_filter = false;
    options.blend_links = blend_links;
    options.budget.seconds = 4;
    const Graphs graphs = make_graphs(dataset.split.train, dataset, graph);
    return train(dataset, graphs, options, "", at(name), *backend_, silent_progress());
  }
  double ndcg(const Model& model, Ranking ranking) {
    EvaluateOptions options;
    options.ranking = ranking;
    const EvaluateReport report = evaluate(model, options, silent_progress());
    return (ranking == Ranking::full ? report.full : report.metrics).at("ndcg@20");
  }
  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
};

TEST_F(LinkChoice, FriendsCountWhereTheyShareATasteAndStrangersDoNot) {
  for (const bool true_friends : {true, false}) {
    const Dataset dataset = town(true_friends);
    const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
    const auto weights = choose_link_weights(dataset, graphs, "ndcg@20", *backend_);
    ASSERT_EQ(weights.size(), 1U);
    if (true_friends)
      EXPECT_GT(weights.at("friends"), 0.0F);
    else
      EXPECT_EQ(weights.at("friends"), 0.0F);
  }
}

TEST_F(LinkChoice, TrainingPutsThemIntoPropagationAndIntoTheScore) {
  const Dataset dataset = town(true);
  GraphOptions without;
  without.link_weight = 0.0F;
  for (const models::ModelKind kind : {models::ModelKind::lightgcn, models::ModelKind::automatic}) {
    train_on(dataset, "with", kind);
    train_on(dataset, "without", kind, without);
    const Model with_links = Model::open(at("with"), dataset, *backend_);
    const Model no_links = Model::open(at("without"), dataset, *backend_);
    EXPECT_GT(with_links.graph_options().weight_of_links("friends"), 0.0F);
    EXPECT_EQ(no_links.graph_options().weight_of_links("friends"), 0.0F);
    const std::vector<ScoreTerm> terms(with_links.terms().begin(), with_links.terms().end());
    EXPECT_TRUE(has_term(terms, TermKind::links));
    EXPECT_GT(ndcg(with_links, Ranking::full), 1.05 * ndcg(no_links, Ranking::full));
    EXPECT_GT(ndcg(with_links, Ranking::vectors), ndcg(no_links, Ranking::vectors));
  }
}

TEST_F(LinkChoice, AModelAnswersTheSameByALookUp) {
  const Dataset dataset = town(true);
  train_on(dataset, "m", models::ModelKind::lightgcn);
  const Dataset lookup = read_dataset(at("x.data"), DatasetUse::lookup);
  const Model whole = Model::open(at("m"), dataset, *backend_);
  const Model light = Model::open(at("m"), lookup, *backend_);
  const auto want = whole.recommend("u7", 10, SeenItems::automatic, Ranking::full);
  const auto got = light.recommend("u7", 10, SeenItems::automatic, Ranking::full);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].item, want[i].item);
    EXPECT_EQ(got[i].score, want[i].score);
  }
  // A person without links has no share of them.
  EXPECT_EQ(light.recommend_for_history(std::vector<std::string_view>{"i1"}, 5).size(), 5U);
}

TEST_F(LinkChoice, TheNearestUsersAreFriends) {
  const Dataset dataset = town(true);
  train_on(dataset, "m", models::ModelKind::lightgcn);
  const Model model = Model::open(at("m"), dataset, *backend_);
  int friends = 0;
  for (int user = 0; user < kUsers; ++user) {
    const auto near = model.similar_users(fmt::format("u{}", user), kCircle - 1);
    ASSERT_EQ(near.size(), static_cast<std::size_t>(kCircle - 1));
    for (const ScoredItem& one : near) {
      const int other = std::stoi(std::string(dataset.users.raw(one.item)).substr(1));
      EXPECT_NE(other, user);
      friends += other / kCircle == user / kCircle;
    }
  }
  EXPECT_GT(friends, kUsers * (kCircle - 1) / 2);
  EXPECT_THROW(model.similar_users("nobody", 3), InputError);
  EXPECT_THROW(model.similar_users("u1", kUsers), InputError);
}

TEST_F(LinkChoice, AnExplanationHasTheShareOfFriends) {
  const Dataset dataset = town(true);
  train_on(dataset, "m", models::ModelKind::lightgcn);
  const Dataset lookup = read_dataset(at("x.data"), DatasetUse::lookup);
  for (const Dataset* data : {&dataset, &lookup}) {
    const Model model = Model::open(at("m"), *data, *backend_);
    Explainer explainer(model);
    for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
      const ScoredItem best = model.recommend("u7", 1, SeenItems::automatic, ranking).front();
      const Explanation why = explainer.of_user("u7", dataset.items.raw(best.item), ranking);
      EXPECT_NEAR(why.explained() / why.score, 1.0, 1e-4);
      EXPECT_GT(why.part(PartKind::friends), 0.01 * why.score);
    }
  }
}

TEST_F(LinkChoice, WithoutAValidationPartThereIsNothingToChooseBy) {
  const Dataset dataset = town(true);
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  TrainOptions options = recipe_of(models::ModelKind::lightgcn);
  options.epochs = 1;
  options.validate_every = 0;
  train(dataset, graphs, options, "", at("m"), *backend_, silent_progress());
  EXPECT_EQ(Model::open(at("m"), dataset, *backend_).graph_options().weight_of_links("friends"),
            0.0F);
}

}  // namespace
}  // namespace penchant::pipeline
