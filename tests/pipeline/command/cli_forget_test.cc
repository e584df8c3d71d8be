// SPDX-License-Identifier: Apache-2.0
// penchant forget as people meet it: what it says, what it leaves when it is killed, and what the
// verbs after it make of it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class CliForget : public ShopTest {
 protected:
  /// user, item of the rows of the generated log, which is read with its repeats merged.
  std::set<std::pair<std::string, std::string>> rows_of_log() const {
    std::set<std::pair<std::string, std::string>> rows;
    std::istringstream in(read_text(at("events.csv")));
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {  // user,item,event,time,session
      const std::size_t first = line.find(',');
      rows.emplace(line.substr(0, first),
                   line.substr(first + 1, line.find(',', first + 1) - first - 1));
    }
    return rows;
  }

  std::vector<std::string> forget(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"forget", at("shop.data")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// Bytes of the data set's own files, without the manifest.
  std::map<std::string, std::string> columns(const std::string& name) const {
    std::map<std::string, std::string> files;
    const json manifest = manifest_of(at(name));
    for (const auto& [file, hash] : manifest.at("files").items())
      files[file] = read_text(fs::path(at(name)) / file);
    return files;
  }

  static std::vector<std::string> files_holding(const fs::path& folder, const std::string& word) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && read_text(entry.path()).find(word) != std::string::npos)
        names.push_back(entry.path().filename());
    }
    return names;
  }
};

TEST_F(CliForget, SaysWhatWentAndWhereItMayStillBe) {
  train();
  const auto num_users = manifest_of(at("shop.data")).at("num_users").get<int>();
  write_text(at("users.txt"), "u3\nu5\nnobody\n");
  write_text(at("items.txt"), "i7\n");
  const json facts = run_penchant(forget({"--users", at("users.txt"), "--items", at("items.txt"),
                                          "--json", "--out", at("less.data")}))
                         .json();
  std::int64_t rows = 0;
  for (const auto& [user, item] : rows_of_log())
    rows += user == "u3" || user == "u5" || item == "i7";
  EXPECT_EQ(facts["num_forgotten_users"], 2);
  EXPECT_EQ(facts["num_unknown_users"], 1);
  EXPECT_EQ(facts["num_forgotten_items"], 1);
  EXPECT_EQ(facts["num_users"], num_users - 2);
  EXPECT_EQ(facts["forgotten_train"].get<std::int64_t>() +
                facts["forgotten_validation"].get<std::int64_t>() +
                facts["forgotten_test"].get<std::int64_t>(),
            rows);
  EXPECT_EQ(facts["out"], at("less.data"));
  ASSERT_EQ(facts["remaining"].size(), 2);
  EXPECT_EQ(facts["remaining"][0], (json{{"path", at("shop.data")}, {"kind", "data"}}));
  EXPECT_EQ(facts["remaining"][1], (json{{"path", at("shop.model")}, {"kind", "model"}}));

  const ProgramResult text = run_penchant(forget({"--users", at("users.txt")}));
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const std::string line :
       {"users forgotten                        2  (1 unknown)", "rows forgotten  ",
        "in train / validation / test)",
        "model that was trained before: train again, and remove this one", "Not looked at"})
    EXPECT_NE(text.out.find(line), std::string::npos) << line << "\n" << text.out;
  EXPECT_EQ(text.out.find("u3"), std::string::npos) << "it names nobody";
  EXPECT_EQ(text.err.find("u3"), std::string::npos);
  EXPECT_EQ(columns("shop.data").size(), columns("less.data").size());
  // The model does not go with it any more, and the message says why.
  expect_input_error(run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "u4"}),
                     {"was trained on another data set", "has forgotten 2 users",
                      "may still hold it: train again"});
  expect_input_error(run_penchant(forget({"--users", at("users.txt")})),
                     {"users.txt: none of its 3 ids is among the users of"});
  expect_input_error(run_penchant(forget({})), {"--users FILE", "--items FILE"});
}

// A user without a row, whose items all went, is a user like any other to what comes next.
TEST_F(CliForget, WhatIsLeftCanBeTrainedOn) {
  ingest();
  const json num_users = manifest_of(at("shop.data")).at("num_users");
  std::map<std::string, std::set<std::string>> items_of;
  for (const auto& [user, item] : rows_of_log()) items_of[user].insert(item);
  const auto poorest = std::min_element(
      items_of.begin(), items_of.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  std::string text;
  for (const std::string& item : poorest->second) text += item + "\n";
  write_text(at("items.txt"), text);
  const json facts = run_penchant(forget({"--items", at("items.txt"), "--json"})).json();
  EXPECT_GE(facts["num_users_left_without_rows"], 1);
  EXPECT_EQ(facts["num_users"], num_users);
  ASSERT_EQ(run_penchant({"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--set",
                          "train.epochs=1", "--set", "model.embedding_dim=8"})
                .exit_code,
            0);
  EXPECT_EQ(run_penchant({"evaluate", at("shop.data"), at("shop.model"), "--quiet"}).exit_code, 0);
  const ProgramResult list =
      run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", poorest->first});
  EXPECT_EQ(list.exit_code, 0) << list.err;
}

TEST_F(CliForget, AKillLeavesTheOldOrTheNew) {
  ingest();
  write_text(at("users.txt"), "u3\nu5\n");
  write_text(at("nobody.txt"), "nobody\n");
  ASSERT_EQ(run_penchant({"graph", at("shop.data"), "--quiet"}).exit_code, 0);
  fs::copy(at("shop.data"), at("old.data"), fs::copy_options::recursive);
  ASSERT_EQ(run_penchant(forget({"--users", at("users.txt"), "--out", at("new.data")})).exit_code,
            0);
  const auto old_files = columns("old.data");
  const auto new_files = columns("new.data");
  ASSERT_NE(old_files, new_files);
  const auto check = [&](const std::string& moment) {
    const auto now = columns("shop.data");
    ASSERT_TRUE(now == old_files || now == new_files) << moment;
    ASSERT_EQ(run_penchant({"partition", at("shop.data"), "--quiet"}).exit_code, 0) << moment;
    // Whatever it left of the old version goes with the next one, even if that has nothing to do.
    const bool done = now == new_files;
    const ProgramResult next =
        run_penchant(forget({"--users", at(done ? "nobody.txt" : "users.txt"), "--quiet"}));
    EXPECT_EQ(next.exit_code, done ? 2 : 0) << moment << ": " << next.err;
    EXPECT_TRUE(columns("shop.data") == new_files) << moment;
    EXPECT_FALSE(fs::exists(at("shop.data.unfinished"))) << moment;
    fs::remove_all(at("shop.data"));
    fs::copy(at("old.data"), at("shop.data"), fs::copy_options::recursive);
  };
  int done = 0;
  for (int ms = 0; ms < 2000 && done < 3; ms += ms < 10 ? 2 : 1 + ms / 12) {
    Program program(forget({"--users", at("users.txt"), "--quiet"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    program.signal(SIGKILL);
    done += program.wait().exit_code == 0;
    ASSERT_NO_FATAL_FAILURE(check(std::to_string(ms) + " ms"));
  }
  for (const std::string file :
       {"shop.data.unfinished/unfinished", "shop.data.unfinished/users.parquet",
        "shop.data.unfinished/manifest.json", "shop.data/unfinished"}) {
    Program program(forget({"--users", at("users.txt"), "--quiet"}));
    for (int look = 0;
         look < 200000 && !fs::exists(at(file)) &&
         manifest_of(at("shop.data")).at("provenance").value("forgotten", json()).empty();
         ++look) {
    }
    program.signal(SIGKILL);
    program.wait();
    ASSERT_NO_FATAL_FAILURE(check(file));
  }
}

TEST_F(CliForget, OldFilesThatCannotBeRemovedAreAnError) {
  ingest();
  const auto num_users = manifest_of(at("shop.data")).at("num_users").get<int>();
  write_text(at("users.txt"), "u3\n");
  fs::permissions(at("shop.data/train"), fs::perms::owner_read | fs::perms::owner_exec);
  expect_input_error(
      run_penchant(forget({"--users", at("users.txt"), "--quiet"}), {.obey_permissions = true}),
      {"shop.data.unfinished: holds files of the old version of", "could not be removed"});
  EXPECT_EQ(manifest_of(at("shop.data")).at("num_users"), num_users - 1);
  fs::permissions(at("shop.data.unfinished/train"), fs::perms::owner_all);
}

// The stage `ingest` has nothing to do as long as its files are what they were, and does not bring
// back what was forgotten when they are not.
TEST_F(CliForget, RunGoesOnWithoutThem) {
  const std::vector<std::string> run = {
      "run",   at("shop.toml"),  "--json", "--quiet",
      "--set", "train.epochs=1", "--set",  "model.embedding_dim=8"};
  ASSERT_EQ(run_penchant(run).exit_code, 0);
  const auto num_users = manifest_of(at("shop.data")).at("num_users").get<int>();
  write_text(at("users.txt"), "u3\n");
  ASSERT_EQ(run_penchant(forget({"--users", at("users.txt"), "--quiet"})).exit_code, 0);
  const json again = run_penchant(run).json();
  EXPECT_NE(std::find(again["skipped"].begin(), again["skipped"].end(), "ingest"),
            again["skipped"].end());
  EXPECT_NE(std::find(again["done"].begin(), again["done"].end(), "train"), again["done"].end());
  EXPECT_EQ(manifest_of(at("shop.data")).at("num_users"), num_users - 1);
  EXPECT_EQ(files_holding(at("shop.embeddings"), "\"u3\""), std::vector<std::string>{});
  write_text(at("events.csv"), read_text(at("events.csv")) + "\n");
  expect_input_error(run_penchant(run), {"shop.data has forgotten 1 user", "penchant ingest"});
  EXPECT_EQ(manifest_of(at("shop.data")).at("num_users"), num_users - 1);
  ASSERT_EQ(run_penchant({"ingest", "--config", at("shop.toml"), "--quiet"}).exit_code, 0);
  EXPECT_EQ(manifest_of(at("shop.data")).at("num_users"), num_users);
  EXPECT_EQ(run_penchant(run).exit_code, 0);
}

// Of the calls that put files in place the n-th and all later ones fail, for every n.
TEST_F(CliForget, ADiskThatFailsLeavesWhatWasThere) {
  const char* const chosen = std::getenv("PENCHANT_BINARY_DIR");
  const fs::path library =
      fs::path(chosen == nullptr ? PENCHANT_BINARY_DIR : chosen) / "tests/libpenchant_faults.so";
  if (!fs::exists(library)) GTEST_SKIP() << "a sanitizer's program cannot be preloaded";
  ingest();
  fs::copy(at("shop.data"), at("kept.data"), fs::copy_options::recursive);
  std::ofstream(at("users.txt")) << "u1\n";
  const std::vector<std::string> words = forget({"--users", at("users.txt"), "--quiet"});
  constexpr int kMost = 200;
  int failures = 0;
  for (int call = 1; call < kMost; ++call) {
    fs::remove_all(at("shop.data"));
    fs::copy(at("kept.data"), at("shop.data"), fs::copy_options::recursive);
    const ProgramResult failed = run_penchant(
        words, {.environment = {{"LD_PRELOAD", library.string()},
                                {"PENCHANT_FAULT", "rename:" + std::to_string(call) + ":5:on"}}});
    if (failed.exit_code == 0) break;
    ++failures;
    EXPECT_EQ(failed.exit_code, 2) << call << failed.err;
    const ProgramResult again = run_penchant(words);
    EXPECT_EQ(again.exit_code, 0) << call << again.err;
  }
  EXPECT_GT(failures, 10);
  EXPECT_LT(failures, kMost - 1);
}

}  // namespace
}  // namespace penchant::testing
