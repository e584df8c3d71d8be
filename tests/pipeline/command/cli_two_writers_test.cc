// SPDX-License-Identifier: Apache-2.0
// Two processes on one artefact, and new artefacts that fail: what was there before stays whole.
#include <sys/stat.h>

#include <csignal>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using CliTwoWriters = ShopTest;

/// Names and bytes of all files in a folder.
std::map<std::string, std::string> content(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(folder).string()] = read_text(entry.path());
  }
  return files;
}

/// Folders and files beside the artefacts that no successful command leaves.
std::vector<std::string> leftovers(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with("unfinished") || name.ends_with(".partial")) found.push_back(entry.path());
  }
  return found;
}

std::vector<std::string> endless_training(const std::string& data, const std::string& model) {
  return {"train",
          data,
          "--out",
          model,
          "--quiet",
          "--set",
          "train.epochs=100000",
          "--set",
          "train.patience=0",
          "--set",
          "model.embedding_dim=16",
          "--set",
          "train.retry_lower_rate=false",
          "--set",
          "train.batch_size=512"};
}

std::vector<std::string> short_training(const std::string& data, const std::string& model) {
  return {"train",
          data,
          "--out",
          model,
          "--quiet",
          "--set",
          "train.epochs=1",
          "--set",
          "model.embedding_dim=8"};
}

TEST_F(CliTwoWriters, TheSecondIsRefusedAtOnceAndAKillFreesTheLock) {
  ingest();
  const std::string model = at("m.model");
  Program first(endless_training(at("shop.data"), model));
  ASSERT_TRUE(wait_for_file(model + "/metrics.jsonl"));
  expect_input_error(run_penchant(short_training(at("shop.data"), model)),
                     {model, "in use by process", "since 20", "on host"});
  ASSERT_TRUE(wait_for_file(model + "/checkpoint.safetensors"));
  first.signal(SIGKILL);
  first.wait();
  EXPECT_EQ(run_penchant(short_training(at("shop.data"), model)).exit_code, 0);
  // The same where a finished model is replaced.
  Program second(endless_training(at("shop.data"), model));
  ASSERT_TRUE(wait_for_file(model + ".unfinished/metrics.jsonl"));
  expect_input_error(run_penchant(short_training(at("shop.data"), model)),
                     {model, "in use by process", "since 20", "on host"});
  EXPECT_EQ(run_penchant({"recommend", at("shop.data"), model, "--user", "u3"}).exit_code, 0)
      << "the finished model can be read meanwhile";
  second.signal(SIGKILL);
  second.wait();
  EXPECT_EQ(run_penchant(short_training(at("shop.data"), model)).exit_code, 0);
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, TwoTrainingsOnAFreshDataSetBothSucceed) {
  ingest();
  Program first(short_training(at("shop.data"), at("a.model")));
  Program second(short_training(at("shop.data"), at("b.model")));
  const ProgramResult one = first.wait();
  const ProgramResult two = second.wait();
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(two.exit_code, 0) << two.err;
  EXPECT_EQ(read_text(at("a.model/weights.safetensors")),
            read_text(at("b.model/weights.safetensors")));
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, AReaderSeesTheOldOrTheNew) {
  train();
  const std::string data = at("shop.data");
  for (int round = 0; round < 3; ++round) {
    Program writer({"ingest", "--config", at("shop.toml"), "--quiet"});
    for (int read = 0; read < 4; ++read) {
      const ProgramResult result =
          run_penchant({"recommend", data, at("shop.model"), "--user", "u3", "--quiet"});
      EXPECT_EQ(result.exit_code, 0) << result.err;
    }
    EXPECT_EQ(writer.wait().exit_code, 0);
  }
}

TEST_F(CliTwoWriters, AFailedRetrainingLeavesTheOldModel) {
  train();
  const std::string model = at("shop.model");
  const auto before = content(model);
  for (const std::string setting :
       {"model.embedding_dim=0", "train.validation_metric=\"nonsense@3\"", "model.mlp_dims=[0]",
        "train.learning_rate=1e30", "model.num_layers=1000000000", "filter.order=0",
        "model=gcn model.num_layers=0", "train.validation_metric=\"ndcg@0\""}) {
    std::vector<std::string> arguments = {"train", at("shop.data"), "--out", model};
    std::istringstream words(setting);
    for (std::string word; words >> word;) arguments.insert(arguments.end(), {"--set", word});
    const ProgramResult result = run_penchant(arguments);
    EXPECT_EQ(result.exit_code, 2) << setting << result.err;
    EXPECT_EQ(content(model), before) << setting;
  }
  const ProgramResult full =
      run_penchant(short_training(at("shop.data"), model), {.file_size_limit = 3000});
  expect_input_error(full, {"File too large"});
  EXPECT_EQ(content(model), before);
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, AFullDiskLeavesYesterdaysEmbeddingsAndGraph) {
  train();
  const std::vector<std::string> embed = {"embed", at("shop.data"), at("shop.model"), "--out",
                                          at("e")};
  ASSERT_EQ(run_penchant(embed).exit_code, 0);
  const auto embeddings = content(at("e"));
  const auto graph = content(at("shop.data/graph"));
  expect_input_error(run_penchant(embed, {.file_size_limit = 9000}), {"File too large"});
  expect_input_error(run_penchant({"graph", at("shop.data")}, {.file_size_limit = 5000}),
                     {"File too large"});
  EXPECT_EQ(content(at("e")), embeddings);
  EXPECT_EQ(content(at("shop.data/graph")), graph);
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, AnInterruptedRetrainingIsResumedBesideTheOldModel) {
  train();
  const std::string model = at("shop.model");
  const auto before = content(model);
  std::vector<std::string> again = {"train", at("shop.data"),        "--out", model,
                                    "--set", "train.batch_size=512", "--set", "train.epochs=4"};
  std::vector<std::string> unbroken = again;
  unbroken[3] = at("unbroken.model");
  ASSERT_EQ(run_penchant(unbroken).exit_code, 0);
  ASSERT_TRUE(stop_training(5, {"train", at("shop.data"), model},
                            {"train.batch_size=512", "train.epochs=4"}));
  EXPECT_EQ(content(model), before) << "yesterday's model is whole and in place";
  EXPECT_TRUE(fs::exists(model + ".unfinished/checkpoint.safetensors"));
  EXPECT_EQ(run_penchant({"recommend", at("shop.data"), model, "--user", "u3"}).exit_code, 0);
  again.emplace_back("--resume");
  ASSERT_EQ(run_penchant(again).exit_code, 0);
  EXPECT_EQ(read_text(model + "/weights.safetensors"),
            read_text(at("unbroken.model/weights.safetensors")));
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
  const std::string manifest = read_text(model + "/manifest.json");
  EXPECT_EQ(run_penchant(again).exit_code, 0) << "nothing is left to resume";
  EXPECT_EQ(read_text(model + "/manifest.json"), manifest);
}

TEST_F(CliTwoWriters, AFinishedModelKeepsNothingThatOnlyResumingNeeds) {
  train();
  for (const char* name : {"checkpoint.safetensors", "best.safetensors", "unfinished"})
    EXPECT_FALSE(fs::exists(at("shop.model/") + name)) << name;
}

TEST_F(CliTwoWriters, WhatOthersPutIntoAnArtefactMovesAlong) {
  train();
  write_text(at("shop.model/notes.txt"), "mine");
  fs::create_directory(at("shop.data/train/mine"));
  write_text(at("shop.data/train/mine/user.npy"), "mine too");
  ASSERT_EQ(run_penchant(short_training(at("shop.data"), at("shop.model"))).exit_code, 0);
  ASSERT_EQ(run_penchant({"ingest", "--config", at("shop.toml")}).exit_code, 0);
  EXPECT_EQ(read_text(at("shop.model/notes.txt")), "mine");
  EXPECT_EQ(read_text(at("shop.data/train/mine/user.npy")), "mine too");
  EXPECT_EQ(run_penchant({"graph", at("shop.data")}).exit_code, 0);
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, AFileCalledUnfinishedMakesNoFolderOurs) {
  fs::create_directories(at("proj/train"));
  write_text(at("proj/train/notes.txt"), "mine");
  for (const std::string marker : {"", "data\n", "{\"kind\": \"data\"}"}) {
    write_text(at("proj/unfinished"), marker);
    expect_input_error(run_penchant({"ingest", "--config", at("shop.toml"), "--out", at("proj")}),
                       {at("proj"), "refusing to write"});
    EXPECT_EQ(read_text(at("proj/train/notes.txt")), "mine");
    EXPECT_EQ(read_text(at("proj/unfinished")), marker);
  }
  ingest();
  ASSERT_TRUE(stop_training(1, {"train", at("shop.data"), at("m.model")}, {}));
  const auto before = content(at("m.model"));
  expect_input_error(run_penchant({"ingest", "--config", at("shop.toml"), "--out", at("m.model")}),
                     {at("m.model"), "holds an unfinished model", "refusing to write a data"});
  EXPECT_EQ(content(at("m.model")), before);
}

TEST_F(CliTwoWriters, AFolderOfTheNameThatTheNewOneNeedsStaysAsItIs) {
  train();
  fs::create_directory(at("shop.model.unfinished"));
  write_text(at("shop.model.unfinished/notes.txt"), "mine");
  expect_input_error(run_penchant(short_training(at("shop.data"), at("shop.model"))),
                     {at("shop.model.unfinished"), "refusing to write"});
  EXPECT_EQ(read_text(at("shop.model.unfinished/notes.txt")), "mine");
}

TEST_F(CliTwoWriters, LinksAndEmptyFoldersAreGoodPlaces) {
  fs::create_directory(at("disk"));
  fs::create_directory_symlink(at("disk"), at("x.data"));
  const std::vector<std::string> arguments = {"ingest", "--config", at("shop.toml"), "--out",
                                              at("x.data")};
  for (int round = 0; round < 2; ++round) {
    const ProgramResult result = run_penchant(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(fs::is_symlink(at("x.data")));
    EXPECT_TRUE(fs::exists(at("disk/manifest.json")));
  }
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliTwoWriters, WhereTheFolderAboveCannotBeWrittenTheNewOneGrowsInside) {
  fs::create_directories(at("above/x.data"));
  const auto set_above = [&](fs::perms more) {
    fs::permissions(at("above"), fs::perms::owner_read | fs::perms::owner_exec | more);
  };
  set_above(fs::perms::none);
  const std::vector<std::string> arguments = {"ingest", "--config", at("shop.toml"), "--out",
                                              at("above/x.data")};
  for (int round = 0; round < 2; ++round) {
    const ProgramResult result = run_penchant(arguments, {.obey_permissions = true});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  set_above(fs::perms::owner_write);
  EXPECT_EQ(leftovers(folder_.path()), std::vector<std::string>{});
  EXPECT_EQ(run_penchant({"graph", at("above/x.data")}).exit_code, 0);
}

TEST_F(CliTwoWriters, TrainsOnADataSetThatCannotBeWritten) {
  ingest();
  const std::string data = at("shop.data");
  fs::permissions(data, fs::perms::owner_read | fs::perms::owner_exec);
  std::vector<std::string> arguments = short_training(data, at("m.model"));
  std::erase(arguments, "--quiet");
  const ProgramResult result = run_penchant(arguments, {.obey_permissions = true});
  fs::permissions(data, fs::perms::owner_all);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("not stored, but used from memory"), std::string::npos) << result.err;
  EXPECT_FALSE(fs::exists(data + "/graph"));
}

TEST_F(CliTwoWriters, AnotherFormatLeavesNoFileOfTheLast) {
  train();
  for (const std::string format :
       {"npy,parquet", "npy", "parquet", "arrow,safetensors,fbin,jsonl,csv,pgcopy,pgvector"}) {
    ASSERT_EQ(run_penchant({"embed", at("shop.data"), at("shop.model"), "--out", at("e"),
                            "--format", format})
                  .exit_code,
              0);
    EXPECT_EQ(fs::exists(at("e/items.npy")), format.starts_with("npy"));
    EXPECT_EQ(fs::exists(at("e/items.parquet")), format.ends_with("parquet"));
  }
  ASSERT_EQ(run_penchant({"embed", at("shop.data"), at("shop.model"), "--out", at("e"), "--format",
                          "fbin", "--type", "float16"})
                .exit_code,
            0);
  std::set<std::string> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(at("e")))
    left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"items.hbin", "items.ids.jsonl", "manifest.json",
                                         "users.hbin", "users.ids.jsonl"}));
}

TEST_F(CliTwoWriters, TemporaryFilesFollowNoLinksAndOverwriteNothing) {
  train();
  write_text(at("pairs.csv"), "user,item\nu3,i7\n");
  write_text(at("victim"), "precious");
  fs::create_symlink(at("victim"), at("o.csv.partial"));
  ASSERT_EQ(run_penchant({"score", at("shop.data"), at("shop.model"), "--pairs", at("pairs.csv"),
                          "--out", at("o.csv")})
                .exit_code,
            0);
  EXPECT_EQ(read_text(at("victim")), "precious");
  EXPECT_TRUE(fs::is_symlink(at("o.csv.partial")));
  EXPECT_FALSE(fs::is_symlink(at("o.csv")));
  write_text(at("o.parquet.partial"), "mine");
  ASSERT_EQ(run_penchant({"score", at("shop.data"), at("shop.model"), "--pairs", at("pairs.csv"),
                          "--out", at("o.parquet")})
                .exit_code,
            0);
  EXPECT_EQ(read_text(at("o.parquet.partial")), "mine");
  // A link at the place itself is replaced, not followed; what is no file is refused.
  fs::create_symlink(at("victim"), at("p.csv"));
  ASSERT_EQ(run_penchant({"score", at("shop.data"), at("shop.model"), "--pairs", at("pairs.csv"),
                          "--out", at("p.csv")})
                .exit_code,
            0);
  EXPECT_EQ(read_text(at("victim")), "precious");
  fs::create_directory(at("q.csv"));
  expect_input_error(run_penchant({"score", at("shop.data"), at("shop.model"), "--pairs",
                                   at("pairs.csv"), "--out", at("q.csv")}),
                     {at("q.csv"), "is a directory"});
}

TEST_F(CliTwoWriters, RunFinishesAStageWithItsStamp) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  run_penchant(run).json();
  for (const char* folder :
       {"shop.data", "shop.data/graph", "shop.data/partition", "shop.model", "shop.embeddings"}) {
    // The stamp is in place before the manifest makes the stage finished.
    EXPECT_LE(fs::last_write_time(at(folder) + "/run.json"),
              fs::last_write_time(at(folder) + "/manifest.json"))
        << folder;
  }
}

}  // namespace
}  // namespace penchant::testing
