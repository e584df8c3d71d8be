// SPDX-License-Identifier: Apache-2.0
// score, recommend --history and evaluate --baselines as a user meets them.
#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

using CliScore = ShopTest;

TEST_F(CliScore, PairsHistoriesAndBaselinesOfATrainedModel) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  write_text(at("pairs.csv"), "user,item,place\nu3,i7,x\nu4,i8,y\nu3,nothing,z\n");
  const std::vector<std::string> score = {
      "score", data, model, "--pairs", at("pairs.csv"), "--out", at("scores.csv"), "--json"};
  expect_input_error(run_penchant(score), {"pairs.csv:4", "unknown item 'nothing'"});
  EXPECT_FALSE(std::filesystem::exists(at("scores.csv")));
  std::vector<std::string> skip = score;
  skip.insert(skip.end(), {"--unknown", "skip"});
  const json report = run_penchant(skip).json();
  EXPECT_EQ(report["rows_written"], 2);
  EXPECT_EQ(report["rows_unknown"], 1);
  EXPECT_EQ(read_text(at("scores.csv")).rfind("user,item,place,score\nu3,i7,x,", 0), 0U);
  std::vector<std::string> never = score;
  never.insert(never.end(), {"--unknown", "never"});
  expect_input_error(run_penchant(never), {"--unknown", "error, skip, zero"});

  const json recommended =
      run_penchant({"recommend", data, model, "--history", "i7,i8,i7", "--k", "5", "--json"})
          .json();
  ASSERT_EQ(recommended["items"].size(), 5U);
  for (const json& entry : recommended["items"])
    EXPECT_TRUE(entry["item"] != "i7" && entry["item"] != "i8");
  EXPECT_NE(run_penchant({"recommend", data, model, "--history", "i7", "--k", "5"})
                .out.find("for a history of 1 items, without what they have, by "),
            std::string::npos);
  expect_input_error(run_penchant({"recommend", data, model, "--history", "i7,nothing"}),
                     {"unknown item 'nothing'"});
  expect_input_error(run_penchant({"recommend", data, model, "--history", ""}), {"--history"});
  expect_input_error(run_penchant({"recommend", data, model}),
                     {"expected either --user, --history, --users or --all-users"});
  expect_input_error(run_penchant({"recommend", data, model, "--user", "u3", "--history", "i7"}),
                     {"expected either --user, --history, --users or --all-users"});

  const json evaluation = run_penchant({"evaluate", data, model, "--baselines", "--json"}).json();
  for (const char* name :
       {"popularity", "item_knn", "last_item_knn", "repeat_frequent", "repeat_recent"}) {
    ASSERT_TRUE(evaluation.contains(std::string(name) + "_metrics")) << name;
    EXPECT_TRUE(evaluation[std::string(name) + "_metrics"].contains("ndcg@20")) << name;
  }
  const ProgramResult table = run_penchant({"evaluate", data, model, "--baselines"});
  EXPECT_NE(table.out.find("repeat_recent"), std::string::npos) << table.out;
}

/// A model whose vectors have learned nothing has a filter beside them.
TEST_F(CliScore, TheFullScoreIsForWhoAsks) {
  ingest();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  ASSERT_EQ(run_penchant({"train", data, "--out", model, "--quiet", "--set", "train.epochs=1",
                          "--set", "train.learning_rate=1e-6", "--set", "model.initializer=normal"})
                .exit_code,
            0);
  write_text(at("pairs.csv"), "user,item\nu3,i7\n");
  const auto ask = [&](std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  };
  const std::vector<std::string> evaluate = {"evaluate", data, model};
  const json vectors = ask(evaluate, {"--json"}).json();
  const json both = ask(evaluate, {"--json", "--ranking", "full"}).json();
  EXPECT_FALSE(vectors.contains("full"));
  EXPECT_EQ(both["metrics"], vectors["metrics"]);
  EXPECT_GT(both["full"]["ndcg@20"], both["metrics"]["ndcg@20"]);
  EXPECT_EQ(both["full"].size(), both["metrics"].size());
  EXPECT_EQ(ask(evaluate, {"--json", "--set", "evaluate.ranking=full"}).json()["full"],
            both["full"]);
  const std::string table = ask(evaluate, {"--ranking", "full"}).out;
  EXPECT_NE(table.find("     vectors        full       popularity\n"), std::string::npos) << table;

  const std::vector<std::string> recommend = {"recommend", data, model, "--json", "--user", "u3"};
  EXPECT_NE(ask(recommend, {"--ranking", "full"}).json(), ask(recommend, {}).json());
  const std::vector<std::string> score = {
      "score", data, model, "--pairs", at("pairs.csv"), "--out", at("scores.csv"), "--json"};
  EXPECT_EQ(ask(score, {}).json()["score"], "inner product");
  EXPECT_EQ(ask(score, {"--ranking", "full"}).json()["score"], "full score");
  // Someone new is ranked by all that the model knows unless something else is asked for.
  const std::vector<std::string> history = {"recommend", data, model, "--json", "--history", "i7"};
  const json full_history = ask(history, {}).json();
  EXPECT_EQ(ask(history, {"--ranking", "full"}).json(), full_history);
  EXPECT_NE(ask(history, {"--ranking", "vectors"}).json(), full_history);
  EXPECT_EQ(ask(history, {"--set", "evaluate.ranking=vectors"}).json(),
            ask(history, {"--ranking", "vectors"}).json());
  expect_input_error(ask(evaluate, {"--ranking", "best"}), {"--ranking", "vectors, full"});
  expect_input_error(ask(evaluate, {"--set", "evaluate.vectors_alone=true"}),
                     {"unknown key 'evaluate.vectors_alone'", "evaluate.ranking"});
}

TEST_F(CliScore, ACurveSaysWhatWidthsAreWorth) {
  ingest();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  ASSERT_EQ(run_penchant({"train", data, "--out", model, "--quiet", "--set",
                          "model.kind=graph_filter", "--set", "filter.kind=gfcf", "--set",
                          "filter.rank=8", "--set", "model.embedding_dim=8"})
                .exit_code,
            0);
  const auto evaluate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"evaluate", data, model, "--set", "evaluate.cutoffs=[20]"});
    return run_penchant(more);
  };
  const json plain = evaluate({"--json"}).json();
  const json curve = evaluate({"--json", "--widths", "4,16"}).json();
  EXPECT_FALSE(plain.contains("widths"));
  EXPECT_FALSE(plain.contains("full"));
  EXPECT_EQ(curve["metrics"], plain["metrics"]);
  ASSERT_EQ(curve["widths"].size(), 3U);
  EXPECT_EQ(curve["widths"][0]["width"], 4);
  EXPECT_EQ(curve["widths"][1]["source"], "stored");
  EXPECT_EQ(curve["widths"][1]["metrics"], plain["metrics"]);
  EXPECT_EQ(curve["widths"][2]["bytes_per_item"], 64);
  EXPECT_TRUE(curve.contains("full"));

  const ProgramResult table = evaluate({"--widths", "4", "--quiet"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_NE(table.out.find("test by width                  4      8 stored          full\n"),
            std::string::npos)
      << table.out;
  EXPECT_NE(table.out.find("bytes an item                 16            32\n"), std::string::npos)
      << table.out;
  expect_input_error(evaluate({"--widths", "16,0"}), {"--widths", "0", "1 to 4096"});
  expect_input_error(evaluate({"--widths", "16,16"}), {"--widths", "16 twice"});
  expect_input_error(evaluate({"--widths", "wide"}), {"--widths", "wide"});
}

}  // namespace
}  // namespace penchant::testing
