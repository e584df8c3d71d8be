// SPDX-License-Identifier: Apache-2.0
// Splits that others made: files for each part, RecBole's benchmark files, a column that says the
// part; and rows that stand in two parts.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

class CliParts : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, std::string_view text) const {
    write_text(at(name), text);
    return at(name);
  }
  ProgramResult ingest(const Words& words) const {
    Words all = {"ingest", "--out", at("x.data"), "--json"};
    all.insert(all.end(), words.begin(), words.end());
    return run_penchant(all);
  }
  /// The same for a table with the columns user, item and time.
  ProgramResult ingest_table(Words words) const {
    for (const char* word :
         {"--user-column", "user", "--item-column", "item", "--time-column", "time"})
      words.emplace_back(word);
    return ingest(words);
  }

  TemporaryFolder folder_;
};

/// "train validation test" of a report.
std::string sizes(const ProgramResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json report = result.json();
  return std::to_string(report["num_train"].get<int>()) + " " +
         std::to_string(report["num_validation"].get<int>()) + " " +
         std::to_string(report["num_test"].get<int>());
}

const std::string kTrain =
    "user,item,time\nu1,a,1600000000\nu1,b,1600000100\nu2,a,1600000200\nu2,c,1600000300\n";
const std::string kValid = "user,item,time\nu1,d,1600000350\n";
const std::string kTest = "user,item,time\nu1,c,1600000400\nu2,b,1600000500\nu9,z,1600000600\n";

TEST_F(CliParts, TablesHaveFilesForTheirParts) {
  write("train.csv", kTrain);
  write("valid.csv", kValid);
  write("test.csv", kTest);
  const ProgramResult three = ingest_table(
      {"--log", at("train.csv"), "--validation", at("valid.csv"), "--test", at("test.csv")});
  EXPECT_EQ(sizes(three), "4 1 3");
  const json report = three.json();
  EXPECT_EQ(report["num_users"], 3) << "who occurs in test only is a user";
  EXPECT_EQ(report["files"][1]["role"], "validation");
  EXPECT_EQ(report["files"][2]["rows"]["test"], 3);
  const json manifest = json::parse(read_text(at("x.data/manifest.json")));
  EXPECT_EQ(manifest["provenance"]["inputs"].size(), 3U);

  EXPECT_EQ(sizes(ingest_table({"--log", at("train.csv"), "--test", at("test.csv"), "--set",
                                "data.split.validation_fraction=0"})),
            "4 0 3");
  EXPECT_EQ(sizes(ingest_table({"--log", at("train.csv"), "--test", at("test.csv"), "--set",
                                "data.split.validation_fraction=0.5", "--set",
                                "data.split.method=given"})),
            "2 2 3")
      << "carved out of train";
}

TEST_F(CliParts, AColumnSaysThePart) {
  write("log.csv",
        "user,item,time,split\nu1,a,1,train\nu1,b,2,Train\nu1,c,3,VAL\nu1,d,4,test\nu2,a,1,train\n"
        "u2,b,2,dev\nu2,c,3,TEST\nu2,d,4,holdout\nu2,e,5,\n");
  const Words words = {"--log", at("log.csv"), "--part-column", "split"};
  const ProgramResult result = ingest_table(words);
  EXPECT_EQ(sizes(result), "3 2 2");
  const json rejected = result.json()["rows"]["rejected"];
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_EQ(rejected[0]["reason"], "unknown part");
  EXPECT_EQ(rejected[0]["rows"], 2);
  EXPECT_NE(rejected[0]["example"].get<std::string>().find("log.csv:9"), std::string::npos);
  Words other = words;
  other.insert(other.end(), {"--set", "data.parts.test=[\"test\",\"holdout\"]"});
  EXPECT_EQ(sizes(ingest_table(other)), "3 2 3");
  Words random = words;
  random.insert(random.end(), {"--set", "data.split.method=random_per_user"});
  expect_input_error(ingest_table(random), {"data.columns.part", "data.split.method"});
  Words both = words;
  both.insert(both.end(), {"--test", at("log.csv")});
  expect_input_error(ingest_table(both), {"log.csv", "data.test"});
}

TEST_F(CliParts, RecBolesBenchmarkFiles) {
  const std::string header = "user_id:token\titem_id:token\ttimestamp:float\n";
  write("ml.train.inter", header + "u1\ta\t1\nu1\tb\t2\nu2\ta\t1\n");
  write("ml.valid.inter", header + "u1\tc\t3\n");
  write("ml.test.inter", header + "u1\td\t4\nu2\tb\t3\n");
  const Words words = {"--format", "recbole", "--prefix", at("ml")};
  expect_input_error(ingest(words), {"ml.inter", "ml.train.inter", "--benchmark"});
  Words three = words;
  three.insert(three.end(), {"--benchmark", "train,valid,test"});
  EXPECT_EQ(sizes(ingest(three)), "3 1 2");
  Words two = words;
  two.insert(two.end(), {"--set", "data.benchmark=[\"train\",\"test\"]", "--set",
                         "data.split.validation_fraction=0"});
  EXPECT_EQ(sizes(ingest(two)), "3 0 2");
  Words one = words;
  one.insert(one.end(), {"--benchmark", "train"});
  expect_input_error(ingest(one), {"data.benchmark", "train"});
  Words missing = words;
  missing.insert(missing.end(), {"--benchmark", "train,dev,test"});
  expect_input_error(ingest(missing), {"ml.dev.inter", "no such file"});
}

TEST_F(CliParts, LightGcnPairsInTwoPartsGoFromTheLaterWithEverySeed) {
  write("tr.txt", "0 1 2 3 4\n1 2 3 4 5\n");
  write("va.txt", "0 6\n1 1\n");
  write("te.txt", "0 5 6 2\n1 1 7\n");
  Words words = {"--format", "lightgcn", "--train", at("tr.txt"), "--test", at("te.txt")};
  for (const char* seed : {"1", "2", "3", "42"}) {
    Words seeded = words;
    seeded.insert(seeded.end(), {"--set", std::string("data.split.seed=") + seed});
    const ProgramResult result = ingest(seeded);
    EXPECT_EQ(sizes(result), "8 0 4") << "0.1 of four rows is none";
    EXPECT_EQ(result.json()["files"][1]["rows"]["overlap"], 1);
  }
  words.insert(words.end(), {"--validation", at("va.txt")});
  const ProgramResult three = ingest(words);
  EXPECT_EQ(sizes(three), "8 2 2");
  EXPECT_EQ(three.json()["files"][2]["rows"]["overlap"], 3);
  words.insert(words.end(), {"--set", "data.split.overlap=error"});
  expect_input_error(ingest(words), {"te.txt", "user '0'", "item '6'", "data.split.overlap"});
  expect_input_error(ingest({"--format", "lightgcn", "--train", at("tr.txt"), "--test",
                             at("te.txt"), "--set", "data.split.method=random_per_user"}),
                     {"data.test", "data.split.method"});
}

TEST_F(CliParts, WhereRepeatsStayOnlyTheSameRowIsAnOverlap) {
  write("train.csv", kTrain);
  write("test.csv",
        "user,item,time\nu1,a,1600000000\nu1,a,1600000700\nu2,b,1600000500\nu2,b,1600000500\n");
  const Words words = {"--log",        at("train.csv"), "--test",
                       at("test.csv"), "--set",         "data.split.validation_fraction=0"};
  const ProgramResult repeats = ingest_table(words);
  EXPECT_EQ(sizes(repeats), "4 0 2");
  EXPECT_EQ(repeats.json()["files"][1]["rows"]["overlap"], 1);
  EXPECT_EQ(repeats.json()["files"][1]["rows"]["merged"], 1);
  Words pairs = words;
  pairs.insert(pairs.end(), {"--set", "data.repeats=keep_last"});
  const ProgramResult once = ingest_table(pairs);
  EXPECT_EQ(sizes(once), "4 0 1");
  EXPECT_EQ(once.json()["files"][1]["rows"]["overlap"], 1) << "u1 a, its two rows merged";
  EXPECT_EQ(once.json()["files"][1]["rows"]["merged"], 2);
}

TEST_F(CliParts, HeldOutPartsStayWholeWhereTrainingRowsAreThinned) {
  write("train.csv", kTrain + "u3,a,1600000000\n");
  write("test.csv", kTest);
  EXPECT_EQ(sizes(ingest_table({"--log", at("train.csv"), "--test", at("test.csv"), "--set",
                                "data.min_user_count=2", "--set", "data.max_user_count=2", "--set",
                                "data.split.validation_fraction=0"})),
            "4 0 3");
}

TEST_F(CliParts, WhatWouldNotCountIsAnError) {
  write("train.csv", kTrain);
  write("test.csv", kTest);
  expect_input_error(ingest_table({"--log", at("train.csv"), "--test", at("test.csv"), "--set",
                                   "data.split.method=global_time"}),
                     {"data.test", "data.split.method"});
  expect_input_error(ingest_table({"--log", at("train.csv"), "--set", "data.split.method=given"}),
                     {"data.split.method", "data.test", "data.columns.part"});
  expect_input_error(ingest_table({"--log", at("*.csv"), "--test", at("test.csv")}),
                     {"test.csv", "data.test", "one part"});
}

TEST_F(CliParts, RunEvaluatesASplitOfOthers) {
  std::string train = "user,item,time\n";
  std::string test = train;
  for (int user = 0; user < 30; ++user) {
    for (int item = 0; item < 6; ++item) {
      (item < 5 ? train : test) += "u" + std::to_string(user) + ",i" +
                                   std::to_string((user + item) % 12) + "," +
                                   std::to_string(1600000000 + 100 * item) + "\n";
    }
  }
  write("train.csv", train);
  write("test.csv", test);
  write(
      "shop.toml",
      "[data]\nout = \"x.data\"\nlog = \"train.csv\"\ntest = \"test.csv\"\n[data.columns]\nuser = "
      "\"user\"\nitem = \"item\"\ntime = \"time\"\n[model]\nout = \"x.model\"\nembedding_dim = "
      "4\n[train]\nepochs = 1\n");
  const ProgramResult result = run_penchant({"run", at("shop.toml"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["num_users"], 30);
  EXPECT_TRUE(result.json()["metrics"].contains("recall@10"));
}

}  // namespace
}  // namespace penchant::testing
