// SPDX-License-Identifier: Apache-2.0
// Settings as a user gives them: none is dropped without a word.
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

class CliSettings : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  TemporaryFolder folder_;
};

TEST_F(CliSettings, FlagsAreSettingsToo) {
  write_text(at("tr.txt"), "0 1 2 3 4\n1 2 3 4 5\n");
  write_text(at("te.txt"), "0 5\n1 1\n");
  const std::vector<std::string> start = {"ingest",     "--format", "lightgcn",  "--train",
                                          at("tr.txt"), "--out",    at("y.data")};
  const auto refused = [&](std::vector<std::string> more, const std::vector<std::string>& words) {
    more.insert(more.begin(), start.begin(), start.end());
    expect_input_error(run_penchant(more), words);
    EXPECT_FALSE(std::filesystem::exists(at("y.data/manifest.json")));
  };
  refused({"--test", at("te.txt"), "--set", "data.split.method=random_per_user"},
          {"--test: data.test has no effect", "data.split.method given"});
  refused({"--user-column", "u"}, {"--user-column", "data.columns.user", "table or recbole"});
  refused({"--filter", "a > 1"}, {"--filter", "data.filters"});
  refused({"--prefix", "p"}, {"--prefix", "data.prefix", "data.format recbole"});
  refused({"--set", "model.kind=gcn"}, {"model.kind has no effect on ingest"});
  refused({"--device", "cpu"}, {});
}

TEST_F(CliSettings, ThreadsOfVerbsWithoutABackend) {
  for (const char* verb : {"ingest", "graph", "partition", "generate"}) {
    std::vector<std::string> arguments = {verb, "--out", at("shop"), "--threads", "-1"};
    if (std::string(verb) == "graph" || std::string(verb) == "partition")
      arguments = {verb, at("x.data"), "--threads", "-1"};
    expect_input_error(run_penchant(arguments), {"threads"});
  }
}

TEST_F(CliSettings, AConfigurationBesideAConfiguration) {
  write_text(at("a.toml"), "");
  expect_input_error(run_penchant({"run", at("a.toml"), "--config", at("a.toml")}),
                     {"--config has no effect"});
}

TEST_F(CliSettings, TheOrderOfAFileIsItsTime) {
  std::string rows;
  for (int user = 0; user < 6; ++user) {
    for (int item = 0; item < 5; ++item)
      rows += std::to_string(user) + " " + std::to_string((user + item) % 6) + "\n";
  }
  write_text(at("sasrec.txt"), rows);
  const std::vector<std::string> start = {"ingest",
                                          "--log",
                                          at("sasrec.txt"),
                                          "--separator",
                                          " ",
                                          "--set",
                                          "data.header=false",
                                          "--user-column",
                                          "1",
                                          "--item-column",
                                          "2",
                                          "--out",
                                          at("x.data"),
                                          "--json"};
  ASSERT_EQ(run_penchant(start).exit_code, 0);
  const ProgramResult without = run_penchant({"graph", at("x.data"), "--json"});
  EXPECT_TRUE(without.json()["item_relations"].empty());
  EXPECT_NE(without.err.find("data.time_format = \"order\""), std::string::npos) << without.err;
  std::vector<std::string> ordered = start;
  ordered.insert(ordered.end(), {"--set", "data.time_format=order"});
  const ProgramResult result = run_penchant(ordered);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["num_test"], 6) << "the last of each user";
  EXPECT_EQ(run_penchant({"graph", at("x.data"), "--json"}).json()["item_relations"].size(), 1U);
  std::vector<std::string> both = ordered;
  both.insert(both.end(), {"--time-column", "2"});
  expect_input_error(run_penchant(both), {"data.time_format", "data.columns.time"});
  ordered.insert(ordered.end(), {"--set", "data.split.method=global_time"});
  expect_input_error(run_penchant(ordered), {"global_time", "order"});
}

TEST_F(CliSettings, AnEmptyPartIsTold) {
  write_text(at("log.csv"), "user,item\nu1,a\nu1,b\nu2,a\nu2,c\n");
  const ProgramResult result =
      run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user", "--item-column",
                    "item", "--set", "data.split.method=leave_one_out", "--out", at("x.data")});
  ASSERT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("test part and the validation parts are empty"), std::string::npos)
      << result.err;
}

TEST_F(CliSettings, SessionsThatAPartCutsAreCounted) {
  std::string log = "user,item,time,session\n";
  for (int row = 0; row < 20; ++row)
    log += "u,i" + std::to_string(row) + "," + std::to_string(1600000000 + row) + ",s" +
           std::to_string(row / 6) + "\n";
  write_text(at("log.csv"), log);
  const ProgramResult result = run_penchant(
      {"ingest", "--log", at("log.csv"), "--user-column", "user", "--item-column", "item",
       "--time-column", "time", "--session-column", "session", "--out", at("x.data")});
  ASSERT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("1 of the 2 sessions with a held-out row"), std::string::npos)
      << result.err;
}

class CliSmallShop : public ShopTest {};

TEST_F(CliSmallShop, CutOffsAboveTheCatalogue) {
  ASSERT_EQ(run_penchant({"generate", "--out", at("small"), "--users", "60", "--items", "40",
                          "--events", "1200"})
                .exit_code,
            0);
  const std::vector<std::string> run = {"run",   at("small/shop.toml"),  "--set", "train.epochs=2",
                                        "--set", "model.embedding_dim=8"};
  const ProgramResult trained = run_penchant(run);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.err.find("cut-off 50 left out"), std::string::npos) << trained.err;
  const std::string data = at("small/shop.data");
  const std::string model = at("small/shop.model");
  const ProgramResult evaluated = run_penchant({"evaluate", data, model, "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_NE(evaluated.err.find("cut-off 50 left out"), std::string::npos) << evaluated.err;
  EXPECT_TRUE(evaluated.json()["metrics"].contains("recall@20"));
  EXPECT_FALSE(evaluated.json()["metrics"].contains("recall@50"));
  expect_input_error(run_penchant({"evaluate", data, model, "--set", "evaluate.cutoffs=[50]"}),
                     {"cut-off 50", "40 items", "evaluate.cutoffs"});
  std::vector<std::string> given = run;
  given.insert(given.end(), {"--set", "evaluate.cutoffs=[10,41]"});
  expect_input_error(run_penchant(given), {"cut-off 41", "40 items"});
}

TEST_F(CliSmallShop, PartsThatStayEmptyAreTold) {
  ingest();
  const ProgramResult many = run_penchant({"partition", at("shop.data"), "--parts", "400"});
  ASSERT_EQ(many.exit_code, 0) << many.err;
  EXPECT_NE(many.err.find("of 400 parts are used, balance"), std::string::npos) << many.err;
  const ProgramResult few = run_penchant({"partition", at("shop.data"), "--parts", "2"});
  EXPECT_EQ(few.err.find("parts are used"), std::string::npos) << few.err;
}

TEST_F(CliSettings, HistoriesOfIdsWithCommas) {
  std::string log = "user,item\n";
  const char* kItems[] = {"\"Hat, red\"", "Hat", "red", "\"a \"\"b\"\", c\"", "scarf", "glove"};
  for (int user = 0; user < 12; ++user) {
    for (int item = 0; item < 4; ++item)
      log += "u" + std::to_string(user) + "," + kItems[(user + item) % 6] + "\n";
  }
  write_text(at("log.csv"), log);
  ASSERT_EQ(run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user",
                          "--item-column", "item", "--out", at("x.data")})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1"})
                .exit_code,
            0);
  const auto items_behind = [&](const std::vector<std::string>& history) {
    std::vector<std::string> arguments = {"recommend", at("x.data"), at("x.model"), "--k", "1"};
    for (const std::string& text : history) arguments.insert(arguments.end(), {"--history", text});
    const ProgramResult result = run_penchant(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out.substr(0, result.out.find(" items"));
  };
  EXPECT_EQ(items_behind({"Hat, red"}), "for a history of 1");
  EXPECT_EQ(items_behind({"\"Hat, red\",scarf"}), "for a history of 2");
  EXPECT_EQ(items_behind({"Hat, red", "scarf,red"}), "for a history of 3");
  EXPECT_EQ(items_behind({"scarf", "\"a \"\"b\"\", c\",red"}), "for a history of 3");
  expect_input_error(
      run_penchant({"recommend", at("x.data"), at("x.model"), "--history", "scarf,\"Hat"}),
      {"--history", "closing quote"});
}

}  // namespace
}  // namespace penchant::testing
