// SPDX-License-Identifier: Apache-2.0
// The whole chain through the program: skipped stages, interruption, resumption, and slices of the
// real data folders.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using CliChain = ShopTest;

std::vector<std::string> names(const json& list) { return list.get<std::vector<std::string>>(); }

bool skipped(const json& report, const std::string& stage) {
  const std::vector<std::string> stages = names(report["skipped"]);
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

const std::vector<std::string> kStages = {"ingest", "graph",    "partition",
                                          "train",  "evaluate", "embed"};

TEST_F(CliChain, RunSkipsStagesWhoseInputsAreUnchanged) {
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"run",     at("shop.toml"), "--json",
                                          "--quiet", "--set",         "model.embedding_dim=16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments).json();
  };
  const json first = run({"--set", "train.epochs=2"});
  EXPECT_EQ(names(first["done"]), kStages);
  EXPECT_TRUE(first["skipped"].empty());
  EXPECT_GT(first["metrics"]["recall@20"], 0.0);

  const json second = run({"--set", "train.epochs=2"});
  for (const char* stage : {"ingest", "graph", "partition", "train", "embed"})
    EXPECT_TRUE(skipped(second, stage)) << stage;
  EXPECT_EQ(second["metrics"], first["metrics"]) << "a skipped evaluation still reports its result";

  const json reseeded = run({"--set", "train.epochs=2", "--set", "train.seed=7"});
  EXPECT_EQ(names(reseeded["skipped"]), (std::vector<std::string>{"ingest", "graph", "partition"}));
  EXPECT_EQ(names(reseeded["done"]), (std::vector<std::string>{"train", "evaluate", "embed"}));

  const json other_graph = run({"--set", "train.seed=7", "--set", "graph.top_k=5"});
  EXPECT_EQ(names(other_graph["skipped"]), (std::vector<std::string>{"ingest"}));

  std::ofstream(at("events.csv"), std::ios::app) << "u1,i1,view,1600000000000,s999999\n";
  const json more_rows = run({"--set", "train.seed=7", "--set", "graph.top_k=5"});
  EXPECT_EQ(names(more_rows["done"]), kStages);
}

TEST_F(CliChain, RunSkipsTheEvaluationOfAnUnchangedModel) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  run_penchant(run).json();
  EXPECT_TRUE(skipped(run_penchant(run).json(), "evaluate"))
      << "docs/architecture.md: a stage whose inputs have not changed is skipped";
}

TEST_F(CliChain, RunMeasuresAgainWhereTheSameWeightsScoreOtherwise) {
  const auto run = [&](const std::string& calibrates) {
    return run_penchant({"run", at("shop.toml"), "--json", "--quiet", "--set", "train.epochs=1",
                         "--set", "train.refit=false", "--set", "train.blend_filter=false", "--set",
                         "train.calibrate_popularity=" + calibrates})
        .json();
  };
  const json with = run("true");
  const std::string weights = read_text(at("shop.model/weights.safetensors"));
  const json without = run("false");
  ASSERT_EQ(read_text(at("shop.model/weights.safetensors")), weights);
  EXPECT_FALSE(skipped(without, "evaluate"));
  EXPECT_FALSE(skipped(without, "embed"));
  EXPECT_NE(with["metrics"], without["metrics"]);
}

TEST_F(CliChain, JudgingByTheValidationPartThatARefitLearnedFromIsSaid) {
  ingest();
  for (const std::string refits : {"true", "false"}) {
    ASSERT_EQ(run_penchant({"train", at("shop.data"), "--out", at("shop.model"), "--set",
                            "train.epochs=1", "--set", "train.refit=" + refits})
                  .exit_code,
              0);
    for (const std::string part : {"test", "validation"}) {
      const ProgramResult result =
          run_penchant({"evaluate", at("shop.data"), at("shop.model"), "--split", part, "--json"});
      const bool saw = refits == "true" && part == "validation";
      EXPECT_EQ(result.json()["trained_on_part"], saw) << refits << part;
      EXPECT_EQ(result.err.find("train.refit") != std::string::npos, saw) << result.err;
    }
  }
}

TEST_F(CliChain, RunNoticesThatAnotherCommandRewroteAnArtefact) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  run_penchant(run).json();
  ASSERT_EQ(run_penchant({"partition", at("shop.data"), "--parts", "3", "--quiet"}).exit_code, 0);
  const json again = run_penchant(run).json();
  EXPECT_FALSE(skipped(again, "partition")) << "its 3 parts are not the 8 of the configuration";
  EXPECT_TRUE(skipped(again, "graph"));
}

TEST_F(CliChain, RunNoticesThatAnotherCommandRewroteTheData) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  run_penchant(run).json();
  const auto events = json::parse(read_text(at("shop.data/manifest.json")))["num_train"];
  ASSERT_EQ(run_penchant({"ingest", "--config", at("shop.toml"), "--quiet", "--set",
                          "data.min_user_count=15"})
                .exit_code,
            0);
  ASSERT_NE(json::parse(read_text(at("shop.data/manifest.json")))["num_train"], events);
  EXPECT_FALSE(skipped(run_penchant(run).json(), "ingest"));
  EXPECT_EQ(json::parse(read_text(at("shop.data/manifest.json")))["num_train"], events);
}

TEST_F(CliChain, StagesOneByOneEqualRun) {
  ASSERT_EQ(run_penchant({"run", at("shop.toml"), "--quiet", "--set", "train.epochs=2"}).exit_code,
            0);
  const std::string data = at("one.data");
  ASSERT_EQ(
      run_penchant({"ingest", "--config", at("shop.toml"), "--out", data, "--quiet"}).exit_code, 0);
  ASSERT_EQ(run_penchant({"graph", data, "--quiet"}).exit_code, 0);
  ASSERT_EQ(run_penchant({"partition", data, "--quiet"}).exit_code, 0);
  ASSERT_EQ(
      run_penchant({"train", data, "--out", at("one.model"), "--set", "train.epochs=2", "--quiet"})
          .exit_code,
      0);
  ASSERT_EQ(run_penchant({"embed", data, at("one.model"), "--out", at("one.embeddings"), "--quiet"})
                .exit_code,
            0);
  EXPECT_EQ(read_text(at("one.embeddings/items.npy")), read_text(at("shop.embeddings/items.npy")));
  EXPECT_EQ(read_text(at("one.embeddings/users.npy")), read_text(at("shop.embeddings/users.npy")));
}

/// Training long enough to be interrupted, with small steps so that many checkpoints are written.
std::vector<std::string> long_training(const std::string& data, const std::string& model) {
  return {"train",
          data,
          "--out",
          model,
          "--quiet",
          "--set",
          "train.epochs=40",
          "--set",
          "train.batch_size=128",
          "--set",
          "model.embedding_dim=16",
          "--set",
          "train.patience=0"};
}

/// Losses and validation values of a training run; the seconds that a line also holds differ from
/// run to run.
std::vector<json> loss_series(const fs::path& model) {
  std::vector<json> series;
  std::ifstream file(model / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    json entry = json::parse(line);
    for (const char* timing : {"seconds", "elapsed_s", "rows_per_second", "pairs_per_second"})
      entry.erase(timing);
    series.push_back(entry);
  }
  return series;
}

TEST_F(CliChain, KilledTrainingResumesToTheSameBytes) {
  ingest();
  ASSERT_EQ(run_penchant(long_training(at("shop.data"), at("unbroken.model"))).exit_code, 0);
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::vector<std::string> arguments = long_training(at("shop.data"), at("broken.model"));
    if (attempt > 0) arguments.emplace_back("--resume");
    Program program(arguments);
    ASSERT_TRUE(wait_for_file(at("broken.model/checkpoint.safetensors")));
    std::this_thread::sleep_for(std::chrono::milliseconds(7 * (attempt + 1)));
    program.signal(SIGKILL);
    program.wait();
  }
  std::vector<std::string> last = long_training(at("shop.data"), at("broken.model"));
  last.emplace_back("--resume");
  const ProgramResult result = run_penchant(last);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_text(at("broken.model/weights.safetensors")),
            read_text(at("unbroken.model/weights.safetensors")));
  EXPECT_EQ(loss_series(at("broken.model")), loss_series(at("unbroken.model")));
}

TEST_F(CliChain, InterruptWritesACheckpointAndExits130) {
  ingest();
  std::vector<std::string> arguments = long_training(at("shop.data"), at("shop.model"));
  arguments.insert(arguments.end(),
                   {"--set", "train.epochs=100000", "--set", "train.validate_every=100000", "--set",
                    "train.checkpoint_every=100000"});
  Program program(arguments);
  ASSERT_TRUE(wait_for_file(at("shop.model/metrics.jsonl")));
  EXPECT_FALSE(fs::exists(at("shop.model/checkpoint.safetensors")));
  program.signal(SIGINT);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(fs::exists(at("shop.model/checkpoint.safetensors")));
  EXPECT_FALSE(fs::exists(at("shop.model/manifest.json")))
      << "an interrupted model must not look finished";
  expect_input_error(run_penchant({"evaluate", at("shop.data"), at("shop.model")}),
                     {"shop.model", "unfinished"});
}

TEST_F(CliChain, RunGoesOnWithAnInterruptedTraining) {
  const std::vector<std::string> short_run = {
      "run",   at("shop.toml"),  "--quiet", "--json",
      "--set", "train.epochs=4", "--set",   "train.batch_size=512"};
  run_penchant(short_run).json();
  const std::string unbroken = read_text(at("shop.model/weights.safetensors"));
  fs::remove_all(at("shop.model"));
  EXPECT_TRUE(
      stop_training(5, {"run", at("shop.toml")}, {"train.epochs=4", "train.batch_size=512"}));
  EXPECT_TRUE(fs::exists(at("shop.model/checkpoint.safetensors")));
  const json resumed = run_penchant(short_run).json();
  EXPECT_TRUE(skipped(resumed, "partition"));
  EXPECT_FALSE(skipped(resumed, "train"));
  EXPECT_EQ(read_text(at("shop.model/weights.safetensors")), unbroken);
}

TEST_F(CliChain, ThreadsDoNotChangeTheResult) {
  ingest();
  const std::vector<std::string> base = {
      "train", at("shop.data"),       "--quiet", "--set", "train.epochs=2",
      "--set", "train.batch_size=512"};
  for (const std::string threads : {"1", "2"}) {
    std::vector<std::string> arguments = base;
    arguments.insert(arguments.end(), {"--out", at("m" + threads), "--threads", threads});
    ASSERT_EQ(run_penchant(arguments).exit_code, 0);
  }
  EXPECT_EQ(read_text(at("m1/weights.safetensors")), read_text(at("m2/weights.safetensors")));
}

TEST_F(CliChain, AGraphFilterGoesThroughEveryStage) {
  const std::vector<std::string> run = {
      "run",   at("shop.toml"),           "--json", "--quiet",
      "--set", "model.kind=graph_filter", "--set",  "evaluate.ranking=full"};
  const json first = run_penchant(run).json();
  EXPECT_EQ(names(first["done"]),
            (std::vector<std::string>{"ingest", "graph", "train", "evaluate", "embed"}))
      << "a filter has no use for a node order";
  EXPECT_GT(first["full"]["recall@20"].get<double>(),
            1.3 * first["popularity_metrics"]["recall@20"].get<double>());
  EXPECT_TRUE(skipped(run_penchant(run).json(), "train"));
  std::vector<std::string> other = run;
  other.insert(other.end(), {"--set", "filter.power=0.1"});
  EXPECT_FALSE(skipped(run_penchant(other).json(), "train"));

  const ProgramResult trained = run_penchant({"train", at("shop.data"), "--out", at("f.model"),
                                              "--set", "model.kind=graph_filter", "--quiet"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.out.find("ndcg@20"), std::string::npos) << trained.out;
  EXPECT_EQ(run_penchant({"recommend", at("shop.data"), at("f.model"), "--user", "u1", "--json"})
                .json()["items"]
                .size(),
            20U);
  EXPECT_EQ(run_penchant({"similar", at("shop.data"), at("f.model"), "--item", "i1", "--json"})
                .json()["items"]
                .size(),
            20U);
  expect_input_error(run_penchant({"train", at("shop.data"), "--out", at("f.model"), "--set",
                                   "model.kind=graph_filter", "--set", "filter.order=0"}),
                     {"filter.order is 0", "expected 1 to 64"});
}

TEST_F(CliChain, AutoGoesThroughEveryStageAndSaysWhatItChose) {
  ingest();
  const std::vector<std::string> train = {
      "train",      at("shop.data"), "--out",          at("a.model"), "--set",
      "model=auto", "--set",         "filter.rank=32", "--budget",    "60s"};
  const ProgramResult trained = run_penchant(train);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.err.find("on validation"), std::string::npos) << trained.err;
  EXPECT_NE(trained.out.find("on validation"), std::string::npos) << trained.out;
  const json manifest = json::parse(read_text(at("a.model/manifest.json")));
  EXPECT_NE(trained.out.find(manifest["chosen"].get<std::string>()), std::string::npos);
  EXPECT_EQ(manifest["plan"]["budget_seconds"], 60);
  const json report = run_penchant({"evaluate", at("shop.data"), at("a.model"), "--ranking", "full",
                                    "--json", "--quiet"})
                          .json();
  EXPECT_GT(report["full"]["recall@20"].get<double>(),
            1.3 * report["popularity_metrics"]["recall@20"].get<double>());
  EXPECT_EQ(run_penchant({"recommend", at("shop.data"), at("a.model"), "--user", "u1", "--json"})
                .json()["items"]
                .size(),
            20U);
  EXPECT_EQ(run_penchant(
                {"embed", at("shop.data"), at("a.model"), "--out", at("a.embeddings"), "--quiet"})
                .exit_code,
            0);
  std::vector<std::string> wrong = train;
  wrong.back() = "soon";
  expect_input_error(run_penchant(wrong), {"--budget is 'soon'", "90s, 5m or 1h"});
}

TEST_F(CliChain, TheModelFindsThePlantedInterests) {
  const json report = run_penchant({"run", at("shop.toml"), "--json", "--quiet"}).json();
  EXPECT_GT(report["metrics"]["recall@20"].get<double>(),
            1.3 * report["popularity_metrics"]["recall@20"].get<double>());
}

// --- slices of the real folders, by the project's own configurations ---

/// The first `count` lines of a text file.
void copy_lines(const fs::path& from, const fs::path& to, int count) {
  std::ifstream in(from);
  std::ofstream out(to);
  std::string line;
  for (int i = 0; i < count && std::getline(in, line); ++i) out << line << '\n';
}

class CliRealData : public ::testing::Test {
 protected:
  void SetUp() override {
    if (real_data().empty())
      GTEST_SKIP() << "no real data: set PENCHANT_DATA or put it at ../shared/data";
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  /// Trains one epoch, evaluates, embeds, and looks up neighbours of one item.
  void check(const std::vector<std::string>& ingest_arguments, const std::string& item) {
    std::vector<std::string> arguments = {"ingest", "--out", at("x.data"), "--json", "--quiet"};
    arguments.insert(arguments.end(), ingest_arguments.begin(), ingest_arguments.end());
    const ProgramResult ingested = run_penchant(arguments);
    ASSERT_EQ(ingested.exit_code, 0) << ingested.err;
    const json counts = ingested.json();
    EXPECT_GT(counts["num_train"], 100);
    EXPECT_GT(counts["num_test"], 0);
    const ProgramResult trained = run_penchant(
        {"train", at("x.data"), "--out", at("x.model"), "--quiet", "--set", "train.epochs=1",
         "--set", "model.embedding_dim=16", "--set", "train.num_negatives=128"});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    const json evaluation =
        run_penchant({"evaluate", at("x.data"), at("x.model"), "--json", "--quiet"}).json();
    EXPECT_GT(evaluation["num_users"], 0);
    const json embedded = run_penchant({"embed", at("x.data"), at("x.model"), "--out",
                                        at("x.embeddings"), "--json", "--quiet"})
                              .json();
    EXPECT_EQ(embedded["num_items"], counts["num_items"]);
    EXPECT_EQ(run_penchant({"similar", at("x.data"), at("x.model"), "--item", item, "--json"})
                  .json()["items"]
                  .size(),
              20U);
  }

  TemporaryFolder folder_;
};

TEST_F(CliRealData, GowallaInLightGcnFormat) {
  copy_lines(real_data() / "gowalla/train.txt", at("train.txt"), 400);
  copy_lines(real_data() / "gowalla/test.txt", at("test.txt"), 400);
  check({"--format", "lightgcn", "--train", at("train.txt"), "--test", at("test.txt")}, "0");
}

TEST_F(CliRealData, BeautyInS3RecFormat) {
  copy_lines(real_data() / "beauty/Beauty.txt", at("Beauty.txt"), 1500);
  check({"--format", "s3rec", "--sequences", at("Beauty.txt"), "--attributes",
         (real_data() / "beauty/Beauty_item2attributes.json").string()},
        "1");
}

TEST_F(CliRealData, TablesByTheirExampleConfigurations) {
  const fs::path examples = source_folder() / "examples";
  int found = 0;
  for (const char* name : {"completejourney", "online-retail", "rees46"}) {
    const fs::path config = examples / (std::string(name) + ".toml");
    if (!fs::exists(config)) continue;
    ++found;
    const ProgramResult result =
        run_penchant({"ingest", "--config", config.string(), "--out",
                      at(std::string(name) + ".data"), "--json", "--quiet"},
                     {.environment = {{"PENCHANT_DATA", real_data().string()}}});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_GT(result.json()["num_train"], 1000) << name;
  }
  EXPECT_EQ(found, 3) << "examples/ lacks a configuration of a real folder";
}

}  // namespace
}  // namespace penchant::testing
