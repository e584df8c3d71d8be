// SPDX-License-Identifier: Apache-2.0
// The interest model from data set to vectors, probabilities and files.

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/evaluation/pair_evaluation.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/model.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using graph::NodeId;
using models::SequenceKind;
using penchant::testing::IngestTest;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

TrainOptions interest_recipe() {
  TrainOptions options = recipe_of(models::ModelKind::interest);
  options.model.embedding_dim = 16;
  options.model.interest.hidden_dim = 24;
  options.model.interest.mlp_dims = {24};
  options.model.interest.dropout = 0.2F;
  options.epochs = 15;
  options.batch_size = 256;
  options.learning_rate = 0.01F;
  options.calibrate_popularity = false;
  options.blend_filter = false;
  options.retry_lower_rate = false;
  return options;
}

std::vector<float> row_of(kernels::ConstFloatView matrix, std::int64_t row) {
  const float* first = matrix.row(row);
  return {first, first + matrix.cols};
}
std::vector<float> row_of(const kernels::FloatMatrix& matrix, std::int64_t row) {
  return row_of(matrix.view(), row);
}

class InterestTraining : public penchant::testing::SmallShopTest {
 protected:
  double metric(const std::string& name, HeldOut part, const std::string& metric) {
    const Model model = Model::open(
        at(name), dataset(), backend(),
        part == HeldOut::validation ? KnownPart::train : KnownPart::train_and_validation);
    EvaluateOptions options;
    options.part = part;
    return evaluate(model, options, silent_progress()).metrics.at(metric);
  }
};

// Margin fixed beforehand: a fifth better than recommending the most popular items.
TEST_F(InterestTraining, EveryEncoderBeatsPopularityOnPlantedInterests) {
  const double popularity =
      evaluate_popularity(dataset(), {}, backend(), silent_progress()).metrics.at("ndcg@10");
  for (const SequenceKind kind :
       {SequenceKind::lstm, SequenceKind::rnn, SequenceKind::cnn, SequenceKind::none}) {
    TrainOptions options = interest_recipe();
    options.model.interest.sequence = kind;
    const std::string name = fmt::format("m{}", static_cast<int>(kind));
    const TrainReport report = train(options, name);
    EXPECT_TRUE(report.validated);
    EXPECT_GT(metric(name, HeldOut::test, "ndcg@10"), 1.2 * popularity) << name;
  }
}

TEST_F(InterestTraining, ResumesToTheSameBits) {
  TrainOptions options = interest_recipe();
  options.epochs = 3;
  train(options, "unbroken");
  options.resume = true;
  int runs = 0;
  for (;; ++runs) {
    ASSERT_LT(runs, 40);
    penchant::testing::StopAfter stop(7);
    if (!train(options, "broken", stop).interrupted) break;
  }
  EXPECT_GT(runs, 3);
  EXPECT_EQ(read_text(at("broken") / "weights.safetensors"),
            read_text(at("unbroken") / "weights.safetensors"));
  EXPECT_EQ(read_text(at("broken") / "head.safetensors"),
            read_text(at("unbroken") / "head.safetensors"));
  EXPECT_EQ(read_text(at("broken") / "metrics.jsonl"), read_text(at("unbroken") / "metrics.jsonl"));
}

TEST_F(InterestTraining, ValidationOfAFinishedModelIsWhatTrainingSaw) {
  TrainOptions options = interest_recipe();
  options.refit = false;
  const TrainReport report = train(options, "m");
  EXPECT_NEAR(metric("m", HeldOut::validation, "ndcg@10"), report.best_validation, 1e-6);
}

TEST_F(InterestTraining, PopularityAndFilterRankBesideTheVectors) {
  TrainOptions options = interest_recipe();
  options.epochs = 1;
  options.learning_rate = 1e-5F;  // vectors that know nothing
  options.calibrate_popularity = true;
  options.blend_filter = true;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  ASSERT_TRUE(model.layout().popularity_column);
  ASSERT_NE(model.scorer(), nullptr);
  EXPECT_EQ(model.items().cols, options.model.embedding_dim + 1);
  const Histories all = make_histories_with_validation(dataset(), 50);
  const kernels::FloatMatrix users = model.interest()->user_vectors(all, backend());
  ASSERT_EQ(users.cols(), model.users().cols);
  for (const std::int64_t user : {0, 7, 150})
    EXPECT_EQ(row_of(users, user), row_of(model.users(), user));
}

TEST_F(InterestTraining, UsersByHistoryAreTheUsersOfTheDataSet) {
  TrainOptions options = interest_recipe();
  options.epochs = 2;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const Histories all = make_histories_with_validation(dataset(), 1000);
  const std::vector<NodeId> rows = {5, 3, 5};
  const Histories some = select_histories(all, rows);
  const kernels::FloatMatrix users = model.interest()->user_vectors(some, backend());
  for (std::int64_t k = 0; k < 3; ++k) {
    const std::vector<float> got = row_of(users, k);
    const std::vector<float> want = row_of(model.users(), rows[static_cast<std::size_t>(k)]);
    for (std::size_t j = 0; j < want.size(); ++j)
      EXPECT_NEAR(got[j], want[j], 1e-5) << "vectors do not depend on who else is in the batch";
  }
}

TEST_F(InterestTraining, HistoriesOfAnyLengthHaveAVector) {
  TrainOptions options = interest_recipe();
  options.epochs = 2;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const kernels::FloatMatrix nobody =
      model.interest()->user_vectors(history_of_items({}), backend());
  std::vector<double> mean(static_cast<std::size_t>(model.users().cols), 0.0);
  const Histories all = make_histories_with_validation(dataset(), 50);
  double known = 0;
  for (std::int64_t user = 0; user < all.size(); ++user) {
    if (all.length(user) == 0) continue;
    ++known;
    for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += row_of(model.users(), user)[j];
  }
  for (std::size_t j = 0; j < mean.size(); ++j)
    EXPECT_NEAR(row_of(nobody, 0)[j], mean[j] / known, 1e-4) << "the mean user";
  const NodeId plain = dataset().items.find("plain");
  for (const std::vector<NodeId>& items :
       {std::vector<NodeId>{2}, {plain}, std::vector<NodeId>(10'000, 3)}) {
    const kernels::FloatMatrix user =
        model.interest()->user_vectors(history_of_items(items), backend());
    double length = 0;
    for (const float value : row_of(user, 0)) {
      ASSERT_TRUE(std::isfinite(value));
      length += std::abs(value);
    }
    EXPECT_GT(length, 0.0);
  }
  // Only the latest max_length events count.
  std::vector<NodeId> long_history(120, 4);
  long_history.resize(120 + 50, 3);
  const std::vector<NodeId> recent(50, 3);
  EXPECT_EQ(row_of(model.interest()->user_vectors(history_of_items(long_history), backend()), 0),
            row_of(model.interest()->user_vectors(history_of_items(recent), backend()), 0));
}

TEST_F(InterestTraining, ProbabilitiesTellNextItemsFromOthers) {
  TrainOptions options = interest_recipe();
  options.model.interest.ranking_weight = 1.0F;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const PairReport report = evaluate_pairs(*model.interest(), dataset(), HeldOut::test, backend());
  EXPECT_GT(report.metrics.values.at("auc"), 0.6);
  // One call or many: the same probability.
  const Histories all = make_histories_with_validation(dataset(), 50);
  const std::vector<NodeId> users = {4, 0, 4, 9}, items = {1, 2, 3, 1};
  const std::vector<float> together = model.interest()->pair_scores(all, users, items, backend());
  EXPECT_THAT(together, Each(AllOf(Ge(0.0F), Le(1.0F))));
  for (std::size_t k = 0; k < users.size(); ++k) {
    const std::vector<NodeId> user = {users[k]}, item = {items[k]};
    EXPECT_NEAR(model.interest()->pair_scores(all, user, item, backend())[0], together[k], 1e-6);
  }
}

/// Of the averaged weights after each epoch that was asked.
std::vector<double> average_aucs(const fs::path& model) {
  std::vector<double> values;
  std::istringstream lines(read_text(model / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    if (entry.contains("average_auc")) values.push_back(entry.at("average_auc").get<double>());
  }
  return values;
}

TEST_F(InterestTraining, ProbabilitiesComeFromTheBestAveragedWeights) {
  TrainOptions options = interest_recipe();
  options.model.interest.ranking_weight = 1.0F;
  options.refit = false;
  options.epochs = 40;
  options.patience = 0;
  options.learning_rate = 0.05F;  // enough to learn too much
  train(options, "m");
  const std::vector<double> aucs = average_aucs(at("m"));
  const auto best = std::max_element(aucs.begin(), aucs.end());
  const nlohmann::json head = read_manifest(at("m"), kModelArtifact).at("head");
  EXPECT_EQ(head.at("epoch"), best - aucs.begin() + 1);
  EXPECT_EQ(head.at("validation_auc"), *best);
  EXPECT_LT(aucs.size(), 40U) << "averaging ends";
  const Model model = Model::open(at("m"), dataset(), backend(), KnownPart::train);
  const PairReport report =
      evaluate_pairs(*model.interest(), dataset(), HeldOut::validation, backend());
  EXPECT_NEAR(report.metrics.values.at("auc"), *best, 1e-6);
  EXPECT_FALSE(fs::exists(at("m") / "best_head0.safetensors"));
}

TEST_F(InterestTraining, ARefitAveragesAsLongAsValidationLiked) {
  TrainOptions options = interest_recipe();
  options.epochs = 6;
  options.patience = 0;
  const TrainReport report = train(options, "m");
  const std::vector<double> aucs = average_aucs(at("m"));
  const std::int64_t best = std::max_element(aucs.begin(), aucs.end()) - aucs.begin() + 1;
  EXPECT_EQ(read_manifest(at("m"), kModelArtifact).at("head").at("epoch"),
            std::min(best, report.best_epoch));
  EXPECT_NE(read_text(at("m") / "head.safetensors"), read_text(at("m") / "weights.safetensors"));
}

// Models of earlier versions have none of its own.
TEST_F(InterestTraining, AModelWithoutANetworkOfItsOwnForThemGivesProbabilities) {
  TrainOptions options = interest_recipe();
  options.epochs = 2;
  train(options, "m");
  const Histories all = make_histories_with_validation(dataset(), 50);
  const std::vector<NodeId> rows = {4, 0}, items = {1, 2};
  const auto probabilities = [&] {
    return Model::open(at("m"), dataset(), backend())
        .interest()
        ->pair_scores(all, rows, items, backend());
  };
  const std::vector<float> own = probabilities();
  nlohmann::json manifest = read_manifest(at("m"), kModelArtifact);
  manifest.erase("head");
  manifest.at("files").erase("head.safetensors");
  fs::remove(at("m") / "head.safetensors");
  write_manifest(at("m"), manifest);
  const std::vector<float> shared = probabilities();
  EXPECT_THAT(shared, Each(AllOf(Ge(0.0F), Le(1.0F))));
  EXPECT_NE(shared, own);
}

TEST_F(InterestTraining, WithoutRankingHeadThereAreNoProbabilities) {
  TrainOptions options = interest_recipe();
  options.epochs = 1;
  options.model.interest.ranking_head = false;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const Histories all = make_histories_with_validation(dataset(), 50);
  const std::vector<NodeId> pair = {0};
  EXPECT_THAT(input_error_of([&] { model.interest()->pair_scores(all, pair, pair, backend()); }),
              HasSubstr("ranking head"));
}

TEST_F(InterestTraining, WithoutRankingHeadEvaluationHasNoPairs) {
  TrainOptions options = interest_recipe();
  options.epochs = 1;
  options.model.interest.ranking_head = false;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const EvaluateReport report = evaluate(model, {}, silent_progress());
  EXPECT_FALSE(report.pairs.has_value());
  EXPECT_FALSE(report.ratings.has_value());
}

TEST_F(InterestTraining, ItemsWithoutInteractionGetAVectorThroughTheItemGraph) {
  TrainOptions options = interest_recipe();
  options.epochs = 2;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  ASSERT_EQ(model.items().rows, dataset().num_items());
  std::int64_t unsold = 0;
  for (std::int64_t item = 0; item < dataset().num_items(); ++item) {
    if (dataset().item_statistics.count[static_cast<std::size_t>(item)] > 0) continue;
    ++unsold;
    double length = 0;
    for (const float value : row_of(model.items(), item)) length += std::abs(value);
    EXPECT_GT(length, 0.0);
  }
  EXPECT_GT(unsold, 0);
}

class Ratings : public IngestTest {};

// Each item has a rating of its own.
TEST_F(Ratings, AreLearned) {
  std::string log = "user,item,time,stars\n";
  for (int user = 0; user < 120; ++user) {
    for (int k = 0; k < 12; ++k) {
      const int item = (user * 7 + k * 5) % 20 + (user % 2) * 20;
      log += fmt::format("u{},i{},{},{}\n", user, item, k, 2 + item % 3 + (user % 2));
    }
  }
  IngestOptions options;
  options.columns.weight = "stars";
  options.split_method = graph::SplitMethod::leave_one_out;
  const Dataset dataset = ingest_text(log, options);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  TrainOptions recipe = interest_recipe();
  recipe.model.interest.ranking_target = models::RankingTarget::rating;
  recipe.model.interest.ranking_weight = 1.0F;
  recipe.epochs = 40;
  recipe.patience = 0;
  recipe.validation_metric = "ndcg@10";
  const fs::path folder = folder_.path() / "m";
  train(dataset, graphs, recipe, "", folder, *backend, silent_progress());
  const Model model = Model::open(folder, dataset, *backend);
  const EvaluateReport report = evaluate(model, {}, silent_progress());
  EXPECT_FALSE(report.pairs.has_value());
  ASSERT_TRUE(report.ratings.has_value());
  EXPECT_EQ(report.ratings->num_ratings, 120);
  EXPECT_LT(report.ratings->metrics.at("rmse"), 0.5)
      << "the standard deviation of the ratings is about 1";
  EXPECT_LE(report.ratings->metrics.at("mae"), report.ratings->metrics.at("rmse"));
  EXPECT_LT(report.ratings->item_mean_metrics.at("rmse"), 0.01) << "here items tell everything";
}

class OddLogs : public IngestTest {};

// Times that are all equal, one event type that never occurs, users of one event, an item only in
// test: everything has a defined result.
TEST_F(OddLogs, TrainToADefinedModel) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "a,x,7\na,y,7\na,z,7\na,w,7\nb,x,7\nb,y,7\nb,z,7\nb,only_in_test,7\nc,x,7\nd,y,7\nd,x,7\nd,z,"
      "7\n",
      [] {
        IngestOptions options;
        options.split_method = graph::SplitMethod::leave_one_out;
        return options;
      }());
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  TrainOptions options = interest_recipe();
  options.epochs = 2;
  const fs::path folder = folder_.path() / "m";
  train(dataset, graphs, options, "", folder, *backend, silent_progress());
  EXPECT_FALSE(fs::exists(folder / "head.safetensors")) << "too few pairs to choose an epoch by";
  const Model model = Model::open(folder, dataset, *backend);
  for (const kernels::ConstFloatView matrix : {model.users(), model.items()}) {
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      for (const float value : row_of(matrix, row)) EXPECT_TRUE(std::isfinite(value));
    }
  }
}

}  // namespace
}  // namespace penchant::pipeline
