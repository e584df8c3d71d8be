// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/propagation_graph.h"
#include "graph/random.h"
#include "models/safetensors.h"
#include "pipeline/choice/popularity_trial.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model.h"
#include "pipeline/training/sampler.h"
#include "pipeline/training/train.h"
#include "pipeline/training/training_phase.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::StopAfter;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Trainer : public penchant::testing::SmallShopTest {
 protected:
  /// The epochs of one phase as metrics.jsonl tells them.
  std::vector<json> epochs(const std::string& name, const std::string& phase) const {
    std::vector<json> lines;
    std::ifstream file(at(name) / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      lines.push_back(json::parse(line));
      if (lines.back()["phase"] != phase) lines.pop_back();
    }
    return lines;
  }
  std::string weights(const std::string& name) const {
    return read_text(at(name) / "weights.safetensors");
  }
  double validation_of(const std::string& name, Ranking ranking = Ranking::full) {
    EvaluateOptions options;
    options.part = HeldOut::validation;
    options.cutoffs = {20};
    options.ranking = ranking;
    const EvaluateReport report =
        evaluate(Model::open(at(name), dataset(), backend()), options, silent_progress());
    return (ranking == Ranking::full ? report.full : report.metrics).at("ndcg@20");
  }
};

TEST_F(Trainer, LossDecreasesAndValidationImproves) {
  for (const auto loss : {models::LossKind::sampled_softmax, models::LossKind::bpr}) {
    TrainOptions options = recipe();
    options.model.loss = loss;
    options.model.initializer = models::Initializer::normal;
    options.epochs = 8;
    // At the usual rate BPR's first epoch learns all that there is.
    if (loss == models::LossKind::bpr) options.learning_rate = 0.004F;
    options.patience = 0;
    options.refit = false;
    const std::string name = loss == models::LossKind::bpr ? "bpr" : "softmax";
    const TrainReport report = train(options, name);
    const std::vector<json> lines = epochs(name, "select");
    ASSERT_EQ(lines.size(), 8U);
    EXPECT_LT(lines.back()["loss"].get<double>(), 0.9 * lines.front()["loss"].get<double>());
    EXPECT_DOUBLE_EQ(report.final_loss, lines.back()["loss"].get<double>());
    EXPECT_GT(report.best_validation, lines.front()["validation"]["ndcg@20"].get<double>());
  }
}

/// Where an interruption falls: every phase, and both the middle and the end of an epoch.
class TrainerResume : public Trainer, public ::testing::WithParamInterface<std::int64_t> {};

TEST_P(TrainerResume, GivesTheSameBits) {
  TrainOptions options = recipe();
  train(options, "unbroken");
  ASSERT_FALSE(epochs("unbroken", "refit").empty());
  StopAfter stop(GetParam());
  EXPECT_TRUE(train(options, "broken", stop).interrupted);
  EXPECT_FALSE(fs::exists(at("broken") / "manifest.json"));
  EXPECT_TRUE(fs::exists(at("broken") / "checkpoint.safetensors"));
  options.resume = true;
  const TrainReport report = train(options, "broken");
  EXPECT_FALSE(report.interrupted);
  EXPECT_EQ(weights("broken"), weights("unbroken"));
  EXPECT_EQ(epochs("broken", "select"), epochs("unbroken", "select"));
  EXPECT_EQ(epochs("broken", "refit"), epochs("unbroken", "refit"));
  json course = manifest("broken");
  json whole = manifest("unbroken");
  for (json* one : {&course, &whole}) {
    one->erase("created");
    one->erase("resources");
    one->erase("manifest_hash");
  }
  EXPECT_EQ(course, whole);
}

INSTANTIATE_TEST_SUITE_P(Steps, TrainerResume, ::testing::Values(1, 5, 11, 20, 22),
                         [](const auto& tested) { return "After" + std::to_string(tested.param); });

TEST_F(Trainer, ResumesStepByStep) {
  TrainOptions options = recipe();
  options.epochs = 2;
  const TrainReport whole = train(options, "unbroken");
  options.resume = true;  // without a checkpoint this is a fresh start
  int runs = 0;
  TrainReport report;
  do {
    StopAfter stop(3);
    report = train(options, "broken", stop);
    ASSERT_LT(++runs, 30);
  } while (report.interrupted);
  EXPECT_GT(runs, 5);
  EXPECT_EQ(weights("broken"), weights("unbroken"));
  EXPECT_EQ(report.epochs_run, whole.epochs_run);
  EXPECT_EQ(report.final_loss, whole.final_loss);
}

TEST_F(Trainer, ResumesWithoutRefitAndWithSparseCheckpoints) {
  TrainOptions options = recipe();
  options.refit = false;
  options.checkpoint_every = 3;
  options.validate_every = 2;
  train(options, "unbroken");
  StopAfter stop(17);
  ASSERT_TRUE(train(options, "broken", stop).interrupted);
  options.resume = true;
  train(options, "broken");
  EXPECT_EQ(weights("broken"), weights("unbroken"));
}

TEST_F(Trainer, AStopRequestWritesACheckpoint) {
  TrainOptions options = recipe();
  train(options, "unbroken");
  StopAfter stop(7);
  EXPECT_TRUE(train(options, "broken", stop).interrupted);
  options.resume = true;
  EXPECT_FALSE(train(options, "broken").interrupted);
  EXPECT_EQ(weights("broken"), weights("unbroken"));
}

/// A node order as a partition may give it.
std::vector<graph::NodeId> some_order(const Graphs& graphs, std::uint64_t seed) {
  const auto nodes = static_cast<std::uint64_t>(
      graph::build_propagation_graph(graphs.user_item, graphs.item).adjacency.num_rows);
  const graph::Permutation shuffled(graph::Seed{seed}, graph::Stream::partition, 0, nodes);
  std::vector<graph::NodeId> order;
  for (std::uint64_t node = 0; node < nodes; ++node)
    order.push_back(static_cast<graph::NodeId>(shuffled(node)));
  return order;
}

// `penchant partition` between an interruption and the next run must not mix rows.
TEST_F(Trainer, GoesOnUnderAnotherNodeOrder) {
  TrainOptions options = recipe();
  options.node_order = NodeOrder::metis;
  options.metis_order = some_order(graphs(), 1);
  options.epochs = 6;
  options.patience = 0;
  options.refit = false;
  train(options, "unbroken");
  StopAfter stop(17);
  ASSERT_TRUE(train(options, "broken", stop).interrupted);
  options.resume = true;
  options.metis_order = some_order(graphs(), 2);
  ASSERT_FALSE(train(options, "broken").interrupted);
  const std::vector<json> want = epochs("unbroken", "select");
  const std::vector<json> got = epochs("broken", "select");
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t e = 0; e < want.size(); ++e) {
    // Sums are rounded in another order, which Adam may magnify a little.
    EXPECT_NEAR(got[e]["loss"].get<double>(), want[e]["loss"].get<double>(), 1e-3) << e;
    EXPECT_NEAR(got[e]["validation"]["ndcg@20"].get<double>(),
                want[e]["validation"]["ndcg@20"].get<double>(), 5e-3)
        << e;
  }
}

TEST_F(Trainer, StateDoesNotDependOnTheNodeOrder) {
  for (const models::ModelKind kind :
       {models::ModelKind::lightgcn, models::ModelKind::gcn, models::ModelKind::node_weighted}) {
    TrainOptions options = recipe();
    options.model.kind = kind;
    options.node_order = NodeOrder::metis;
    options.metis_order = some_order(graphs(), 1);
    GraphPhase written(graphs(), options, backend());
    for (std::int64_t step = 0; step < 3; ++step) written.step(0, step, step + 1, 0.01F);
    written.write_state(at("one"), {{"a", "b"}});
    written.write_weights(at("weights"));
    const models::TensorFile state = models::read_safetensors(at("one"));
    for (const std::uint64_t seed : {1, 2}) {
      options.metis_order = some_order(graphs(), seed);
      GraphPhase read(graphs(), options, backend());
      read.read_state(state, at("one"));
      read.write_state(at("two"), {{"a", "b"}});
      EXPECT_EQ(read_text(at("two")), read_text(at("one"))) << static_cast<int>(kind) << seed;
      read.write_weights(at("weights of two"));
      EXPECT_EQ(read_text(at("weights of two")), read_text(at("weights")));
      kernels::FloatMatrix users, items, other_users, other_items;
      written.embeddings(users, items);
      read.embeddings(other_users, other_items);
      for (std::int64_t user = 0; user < users.rows(); ++user) {
        for (std::int64_t d = 0; d < users.cols(); ++d)
          ASSERT_NEAR(users.view()(user, d), other_users.view()(user, d), 1e-5F);
      }
    }
  }
}

TEST_F(Trainer, ACheckpointThatNoTrainingWritesIsRefused) {
  TrainOptions options = recipe();
  StopAfter stop(5);
  ASSERT_TRUE(train(options, "m", stop).interrupted);
  options.resume = true;
  const fs::path path = at("m") / "checkpoint.safetensors";
  const models::TensorFile good = models::read_safetensors(path);
  const auto complaint = [&](const std::map<std::string, std::string>& metadata) {
    std::vector<models::NamedTensor> tensors;
    for (const models::LoadedTensor& tensor : good.tensors)
      tensors.push_back({tensor.name, tensor.view()});
    std::ofstream out(path, std::ios::binary);
    models::write_safetensors(out, tensors, metadata);
    out.close();
    return input_error_of([&] { train(options, "m"); });
  };
  const auto with_position = [&](const char* key, const json& value) {
    std::map<std::string, std::string> metadata = good.metadata;
    json position = json::parse(metadata.at("position"));
    position[key] = value;
    metadata["position"] = position.dump();
    return complaint(metadata);
  };
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (const char* key : {"attempt", "epoch", "step", "adam_step", "loss_rows", "best_epoch",
                          "best_attempt", "without_improvement", "phase_epochs", "epochs_run"}) {
    for (const std::int64_t value : {std::int64_t{-1}, kMax}) {
      EXPECT_THAT(with_position(key, value),
                  AllOf(HasSubstr("checkpoint.safetensors: damaged"), HasSubstr(key)));
    }
  }
  EXPECT_THAT(with_position("step", 1000), HasSubstr("damaged: 1000 steps"));
  EXPECT_THAT(with_position("phase", "done"), HasSubstr("phase is 'done'"));
  EXPECT_THAT(with_position("phase", 3), HasSubstr("damaged"));
  EXPECT_THAT(with_position("loss_sum", nullptr), HasSubstr("damaged"));
  std::map<std::string, std::string> deep = good.metadata;
  deep["course"] = R"({"epochs":)" + std::string(70, '[') + std::string(70, ']') + "}";
  EXPECT_THAT(complaint(deep), HasSubstr("checkpoint.safetensors"));
  std::map<std::string, std::string> before = good.metadata;
  before["format"] = "penchant checkpoint";  // node rows as the partition of then had them
  EXPECT_THAT(complaint(before), HasSubstr("cannot resume"));
}

// Choosing a weight of popularity computes the vectors once; what it ranks is what is used later.
TEST_F(Trainer, PopularityIsTriedWithTheBitsThatItHasAfterwards) {
  const TrainOptions options = recipe();  // outlives the phase
  GraphPhase phase(graphs(), options, backend());
  kernels::FloatMatrix users, items;
  phase.embeddings(users, items);
  PopularityTrial trial(graphs().user_item, users, items, backend());
  for (const double weight : {0.0, 0.3, 0.3, 0.0, 0.7}) {
    kernels::FloatMatrix want_users, want_items;
    phase.embeddings(want_users, want_items);
    append_popularity(graphs().user_item, weight, backend(), want_users, want_items);
    trial.set_weight(weight);
    const auto expect_equal = [&](kernels::ConstFloatView got, kernels::ConstFloatView want) {
      ASSERT_EQ(got.rows, want.rows);
      ASSERT_EQ(got.cols, want.cols);
      for (std::int64_t row = 0; row < got.rows; ++row)
        ASSERT_TRUE(std::equal(got.row(row), got.row(row) + got.cols, want.row(row))) << weight;
    };
    expect_equal(trial.users(), want_users.view());
    expect_equal(trial.items(), want_items.view());
    expect_equal(trial.plain_users(), users.view());
    expect_equal(trial.plain_items(), items.view());
  }
}

TEST_F(Trainer, ResumingUnderOtherOptionsIsRefused) {
  TrainOptions options = recipe();
  StopAfter stop(3);
  train(options, "m", stop);
  options.resume = true;
  options.model.temperature = 0.5F;
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }),
              AllOf(HasSubstr("cannot resume"), HasSubstr("model was"), HasSubstr("0.5")));
}

TEST_F(Trainer, EarlyStoppingEndsAfterSoManyWorseValidations) {
  TrainOptions options = recipe();
  options.epochs = 60;
  options.learning_rate = 0.3F;  // overfits at once
  options.cosine_decay = false;
  options.patience = 3;
  options.refit = false;
  const TrainReport report = train(options, "m");
  const std::vector<json> lines = epochs("m", "select");
  ASSERT_LT(lines.size(), 60U) << "the recipe of this test must overfit";
  EXPECT_EQ(static_cast<std::int64_t>(lines.size()), report.best_epoch + 3);
  double best = 0;
  for (const json& line : lines) best = std::max(best, line["validation"]["ndcg@20"].get<double>());
  EXPECT_DOUBLE_EQ(report.best_validation, best);
  EXPECT_DOUBLE_EQ(
      lines[static_cast<std::size_t>(report.best_epoch - 1)]["validation"]["ndcg@20"].get<double>(),
      best);
  EXPECT_NEAR(validation_of("m"), best, 1e-6)
      << "the weights are those of the best epoch, not of the last";
}

TEST_F(Trainer, PatienceZeroRunsEveryEpoch) {
  TrainOptions options = recipe();
  options.epochs = 9;
  options.learning_rate = 0.3F;
  options.cosine_decay = false;
  options.patience = 0;
  options.refit = false;
  EXPECT_EQ(train(options, "m").epochs_run, 9);
}

TEST_F(Trainer, RefitLearnsFromTrainAndValidationForTheChosenEpochs) {
  TrainOptions options = recipe();
  options.epochs = 5;
  options.batch_size = 64;
  options.patience = 0;
  const TrainReport report = train(options, "m");
  const std::vector<json> refit = epochs("m", "refit");
  EXPECT_EQ(static_cast<std::int64_t>(refit.size()), report.best_epoch);
  EXPECT_EQ(report.epochs_run, 5 + report.best_epoch);
  EXPECT_EQ(manifest("m")["trained_on"], "train+validation");
  const Graphs merged = make_graphs(train_and_validation(dataset()), dataset(), {});
  const std::int64_t steps = steps_per_epoch(merged.user_item, options);
  EXPECT_GT(steps, steps_per_epoch(graphs().user_item, options))
      << "the shop must be large enough to tell";
  EXPECT_EQ(refit.back()["steps"].get<std::int64_t>(), steps * report.best_epoch);
  options.refit = false;
  train(options, "plain");
  EXPECT_EQ(manifest("plain")["trained_on"], "train");
  EXPECT_NE(weights("plain"), weights("m"));
}

TEST_F(Trainer, TrainAndValidationHoldNoTestRow) {
  const graph::TrainingPart merged = train_and_validation(dataset());
  EXPECT_EQ(merged.interactions.size(),
            dataset().split.train.interactions.size() + dataset().split.validation.size());
  EXPECT_TRUE(std::is_sorted(merged.interactions.user.begin(), merged.interactions.user.end()));
  penchant::testing::Lines rows = penchant::testing::rows_of(dataset(), merged.interactions);
  penchant::testing::Lines parts =
      penchant::testing::rows_of(dataset(), dataset().split.train.interactions);
  for (const std::string& row : penchant::testing::rows_of(dataset(), dataset().split.validation))
    parts.push_back(row);
  std::sort(rows.begin(), rows.end());
  std::sort(parts.begin(), parts.end());
  EXPECT_EQ(rows, parts);
}

TEST_F(Trainer, WithoutValidationEveryEpochIsRun) {
  TrainOptions options = recipe();
  options.validate_every = 0;
  const TrainReport report = train(options, "m");
  EXPECT_EQ(report.epochs_run, 4);
  EXPECT_TRUE(epochs("m", "refit").empty());
  EXPECT_EQ(manifest("m")["trained_on"], "train");
  EXPECT_EQ(report.best_epoch, 4) << "train.h: all epochs without validation";
}

TEST_F(Trainer, TheSeedDecides) {
  TrainOptions options = recipe();
  options.epochs = 1;
  train(options, "one");
  train(options, "same");
  EXPECT_EQ(weights("one"), weights("same"));
  options.seed = graph::Seed{43};
  train(options, "other");
  EXPECT_NE(weights("one"), weights("other"));
}

TEST_F(Trainer, NodeOrderIsAMatterOfMemoryOnly) {
  TrainOptions options = recipe();
  options.epochs = 2;
  options.refit = false;
  train(options, "degree");
  options.node_order = NodeOrder::none;
  train(options, "none");
  const Model a = Model::open(at("degree"), dataset(), backend());
  const Model b = Model::open(at("none"), dataset(), backend());
  double worst = 0;
  for (std::int64_t i = 0; i < a.items().rows; ++i) {
    for (std::int64_t j = 0; j < a.items().cols; ++j)
      worst = std::max(worst, std::abs(static_cast<double>(a.items()(i, j)) -
                                       static_cast<double>(b.items()(i, j))));
  }
  EXPECT_LT(worst, 1e-2) << "only the order of sums differs";
}

TEST_F(Trainer, VectorsHaveLengthOneWhenNormalised) {
  TrainOptions options = recipe();
  options.epochs = 1;
  train(options, "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  EXPECT_TRUE(model.layout().normalized);
  EXPECT_EQ(model.users().rows, dataset().num_users());
  EXPECT_EQ(model.items().rows, dataset().num_items());
  const graph::TrainingPart learned = train_and_validation(dataset());
  const std::set<graph::NodeId> known(learned.interactions.user.begin(),
                                      learned.interactions.user.end());
  for (graph::NodeId user = 0; user < dataset().num_users(); ++user) {
    double square = 0;
    for (std::int64_t j = 0; j < model.users().cols; ++j)
      square += std::pow(static_cast<double>(model.users()(user, j)), 2);
    ASSERT_TRUE(std::isfinite(square));
    if (!known.contains(user)) continue;  // held out altogether
    EXPECT_NEAR(square, 1.0, 1e-5) << "user " << user;
  }
}

TEST_F(Trainer, CalibrationAddsPopularityWhereValidationLikesIt) {
  TrainOptions options = recipe();
  options.epochs = 1;
  options.refit = false;
  options.learning_rate = 1e-6F;  // a model that has learned nothing: popularity must help
  options.model.initializer = models::Initializer::normal;
  const TrainReport plain = train(options, "plain");
  options.calibrate_popularity = true;
  const TrainReport calibrated = train(options, "calibrated");
  EXPECT_GT(calibrated.best_validation, plain.best_validation);
  EXPECT_NEAR(validation_of("calibrated"), calibrated.best_validation, 1e-6);

  const Model model = Model::open(at("calibrated"), dataset(), backend());
  ASSERT_TRUE(model.layout().popularity_column);
  EXPECT_FALSE(model.layout().normalized);
  EXPECT_EQ(model.layout().embedding_dim, 16);
  ASSERT_EQ(model.items().cols, 17);
  const auto degree = [&](graph::NodeId item) {
    return static_cast<double>(graphs().user_item.item_users.view().row_size(item));
  };
  const double unit = static_cast<double>(model.items()(0, 16)) / std::log1p(degree(0));
  EXPECT_GT(unit, 0.0);
  for (graph::NodeId item = 0; item < dataset().num_items(); ++item) {
    EXPECT_NEAR(model.items()(item, 16), unit * std::log1p(degree(item)), 1e-5);
  }
  for (graph::NodeId user = 0; user < dataset().num_users(); ++user) {
    EXPECT_EQ(model.users()(user, 16), 1.0F);
  }
}

TEST_F(Trainer, ColumnsOfNewItemsStandBehindTheEmbedding) {
  TrainOptions options = recipe();
  options.refit = false;
  options.calibrate_popularity = true;
  options.model.new_item_columns = 4;
  const TrainReport report = train(options, "m");
  EXPECT_NEAR(validation_of("m"), report.best_validation, 1e-6);

  const Model model = Model::open(at("m"), dataset(), backend());
  EXPECT_EQ(model.layout().embedding_dim, 16);
  EXPECT_EQ(model.layout().new_item_columns, 5);
  ASSERT_EQ(model.items().cols, model.layout().popularity_column ? 22 : 21);
  EXPECT_FALSE(model.layout().normalized);
  double of_new = 0.0;
  for (graph::NodeId item = 0; item < dataset().num_items(); ++item) {
    const bool touched = graphs().user_item.item_users.view().row_size(item) > 0;
    for (std::int64_t column = 16; column < 21; ++column) {
      const auto value = static_cast<double>(model.items()(item, column));
      if (touched) {
        EXPECT_EQ(value, 0.0) << item;
      }
      of_new += std::abs(value);
    }
  }
  EXPECT_GT(of_new, 0.0);

  options.model.new_item_columns = -1;
  EXPECT_THAT(input_error_of([&] { train(options, "wrong"); }),
              HasSubstr("model.new_item_columns is -1, expected 0 to"));
}

TEST_F(Trainer, PopularityWeighsAsMuchAsTheToleranceAllows) {
  TrainOptions options = recipe();
  options.epochs = 1;  // where the best weight and the largest that is allowed differ
  options.learning_rate = 0.01F;
  options.refit = false;
  options.calibrate_popularity = true;
  Dataset timeless = read_dataset(data_path());
  timeless.split.train.interactions.time_ms.clear();
  timeless.split.validation.time_ms.clear();
  ASSERT_GT(popularity_tolerance(timeless.split), 0.0);
  const TrainReport report =
      pipeline::train(timeless, graphs(), options, "", at("m"), backend(), silent_progress());

  // With times again: the graphs above have co-occurrence.
  const Model model = Model::open(at("m"), dataset(), backend());
  ASSERT_TRUE(model.layout().popularity_column);
  const RankingTask task = make_ranking_task(timeless, HeldOut::validation, SeenItems::automatic);
  /// The validation metric with so many times the chosen weight.
  const auto value = [&](double factor) {
    kernels::FloatMatrix items = backend().matrix<float>(model.items().rows, model.items().cols);
    backend().copy(model.items(), items.view());
    for (std::int64_t item = 0; item < items.rows(); ++item)
      items.view()(item, 16) *= static_cast<float>(factor);
    return evaluate_vectors(model.users(), items.view(), task, timeless.item_statistics.count,
                            validation_options(options.validation_metric), backend(),
                            silent_progress())
        .metrics.at(options.validation_metric);
  };
  EXPECT_NEAR(value(1.0), report.best_validation, 1e-6);
  double best = 0.0;
  for (int k = -24; k <= 12; ++k) best = std::max(best, value(std::exp2(k / 6.0)));
  EXPECT_GE(value(1.0), 0.99 * best - 1e-6);
  EXPECT_LT(value(std::exp2(1.0 / 6.0)), 0.99 * best) << "more popularity was as good";
}

TEST_F(Trainer, BlendingAddsAFilterWhereValidationLikesIt) {
  TrainOptions options = recipe();
  options.epochs = 1;
  options.refit = false;
  options.learning_rate = 1e-6F;  // a model that has learned nothing: a filter must help
  options.model.initializer = models::Initializer::normal;
  const TrainReport plain = train(options, "plain");
  options.blend_filter = true;
  const TrainReport blended = train(options, "blended");
  EXPECT_GT(blended.best_validation, plain.best_validation);
  EXPECT_NEAR(validation_of("blended"), blended.best_validation, 1e-6);

  const Model model = Model::open(at("blended"), dataset(), backend());
  ASSERT_NE(model.scorer(), nullptr);
  EXPECT_EQ(Model::open(at("plain"), dataset(), backend()).scorer(), nullptr);
  EXPECT_EQ(model.items().cols, 16) << "the vectors are exported without the filter";

  const json known = manifest("blended").at("validation");
  EXPECT_EQ(known.at("full"), blended.best_validation);
  EXPECT_NEAR(known.at("vectors").get<double>(), plain.best_validation, 1e-9);
  EXPECT_NEAR(validation_of("blended", Ranking::vectors), plain.best_validation, 1e-6);
  embed(model, {}, at("e"), silent_progress());
  EXPECT_EQ(json::parse(read_text(at("e") / "manifest.json")).at("validation"),
            (json{{"metric", "ndcg@20"}, {"value", known.at("vectors")}, {"ranking", "vectors"}}));
}

TEST_F(Trainer, TriesLowerRatesWhereTheFirstEpochsAreBest) {
  TrainOptions options = recipe();
  options.epochs = 2;            // the best is among the first two
  options.learning_rate = 5.0F;  // far too high
  options.refit = false;
  const TrainReport plain = train(options, "plain");
  options.retry_lower_rate = true;
  const TrainReport retried = train(options, "retried");
  EXPECT_GT(retried.best_validation, plain.best_validation);
  EXPECT_EQ(plain.epochs_run, 2);
  EXPECT_GE(retried.epochs_run, 4);
  EXPECT_NEAR(validation_of("retried"), retried.best_validation, 1e-6);
  const json manifest = json::parse(read_text(at("retried") / "manifest.json"));
  EXPECT_LT(manifest.at("learning_rate").get<float>(), 5.0F);
}

TEST_F(Trainer, ARetryThatWasInterruptedEndsLikeAWholeOne) {
  TrainOptions options = recipe();
  options.epochs = 2;
  options.learning_rate = 5.0F;
  options.retry_lower_rate = true;
  const TrainReport whole = train(options, "whole");
  ASSERT_GE(whole.epochs_run, 5) << "two attempts and the refit";
  TrainReport resumed;
  for (const std::int64_t stop : {3, 12, 9, 7, 0}) {
    StopAfter progress(stop);
    resumed = stop == 0 ? train(options, "resumed") : train(options, "resumed", progress);
    EXPECT_EQ(resumed.interrupted, stop != 0) << stop;
    options.resume = true;
  }
  EXPECT_EQ(read_text(at("resumed") / "metrics.jsonl"), read_text(at("whole") / "metrics.jsonl"));
  EXPECT_EQ(read_text(at("resumed") / "weights.safetensors"),
            read_text(at("whole") / "weights.safetensors"));
}

TEST_F(Trainer, AResumedRunKeepsTheBlendThatWasChosen) {
  TrainOptions options = recipe();
  options.blend_filter = true;
  train(options, "whole");
  std::int64_t select_steps = 0;
  std::ifstream metrics(at("whole") / "metrics.jsonl");
  for (std::string line; std::getline(metrics, line);) {
    const json entry = json::parse(line);
    if (entry.at("phase") == "select") select_steps = entry.at("steps");
  }
  StopAfter stop(select_steps + 1);  // inside the refit, after the choice
  ASSERT_TRUE(train(options, "halted", stop).interrupted);
  options.resume = true;
  train(options, "halted");
  const auto blend = [&](const std::string& name) {
    return json::parse(std::ifstream(at(name) / "manifest.json")).at("blend");
  };
  EXPECT_NE(blend("whole").at("weight"), 0.0);
  EXPECT_EQ(blend("halted"), blend("whole"));
}

TEST_F(Trainer, WrongOptionsAreNamed) {
  const auto refused = [&](auto change, const char* key) {
    TrainOptions options = recipe();
    change(options);
    EXPECT_THAT(input_error_of([&] { train(options, "m"); }), HasSubstr(key));
    EXPECT_FALSE(fs::exists(at("m") / "manifest.json"));
  };
  refused([](TrainOptions& o) { o.epochs = 0; }, "train.epochs");
  refused([](TrainOptions& o) { o.num_negatives = 0; }, "train.num_negatives");
  refused([](TrainOptions& o) { o.learning_rate = 0.0F; }, "train.learning_rate");
  refused([](TrainOptions& o) { o.l2 = -1.0F; }, "train.l2");
  refused([](TrainOptions& o) { o.model.temperature = 0.0F; }, "model.temperature");
  refused([](TrainOptions& o) { o.checkpoint_every = 0; }, "train.checkpoint_every");
  refused([](TrainOptions& o) { o.model.embedding_dim = 0; }, "model.embedding_dim");
  refused([](TrainOptions& o) { o.negative_correction = -0.5; }, "train.negative_correction");
  refused([](TrainOptions& o) { o.validation_metric = "ndcg@20x"; }, "train.validation_metric");
  refused([](TrainOptions& o) { o.validation_metric = "beauty@20"; }, "train.validation_metric");
  refused(
      [](TrainOptions& o) {
        o.node_order = NodeOrder::metis;
        o.metis_order = {0, 1, 2};
      },
      "train.node_order");
}

TEST_F(Trainer, ADivergingLossIsReported) {
  TrainOptions options = recipe();
  options.model.normalize = false;
  options.model.initializer = models::Initializer::normal;
  options.model.initial_scale = 1e6F;
  options.model.temperature = 1e-30F;  // all logits are infinite
  EXPECT_THAT(input_error_of([&] { train(options, "m"); }),
              AllOf(HasSubstr("the loss became"), HasSubstr("train.learning_rate")));
  EXPECT_FALSE(fs::exists(at("m") / "manifest.json"));
}

}  // namespace
}  // namespace penchant::pipeline
