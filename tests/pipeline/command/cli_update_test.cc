// SPDX-License-Identifier: Apache-2.0
// penchant update and replay as a user calls them: killed at any moment nothing is lost.
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"
#include "tests/support/sanitizer.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CliUpdate : public ::testing::Test {
 protected:
  void SetUp() override {
    write_rows("first.csv", 2500, 0, 1);
    write_rows("second.csv", 400, 3000, 2);
    const ProgramResult ingested = run_penchant(
        {"ingest", "--quiet", "--set", "data.log=" + at("first.csv"), "--set",
         "data.columns.user=user", "--set", "data.columns.item=item", "--set",
         "data.columns.time=time", "--set", "data.split.method=global_time", "--set",
         "data.split.test_fraction=0", "--set", "data.out=" + at("x.data")});
    ASSERT_EQ(ingested.exit_code, 0) << ingested.err;
    const ProgramResult trained = run_penchant(
        {"train", at("x.data"), "--out", at("x.model"), "--quiet", "--set", "model.kind=lightgcn",
         "--set", "train.epochs=4", "--set", "model.embedding_dim=8"});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
  }

  void write_rows(const std::string& name, int count, int first, unsigned seed) const {
    std::mt19937 random(seed);
    std::ofstream file(at(name));
    file << "user,item,time\n";
    for (int row = 0; row < count; ++row) {
      const auto user = random() % 90;
      file << 'u' << user << ",i" << (random() % 20) * 3 + user % 3 << ','
           << 1600000000 + 600 * (first + row) << '\n';
    }
  }

  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  std::vector<std::string> update() const {
    return {"update", at("x.data"), at("x.model"), "--log", at("second.csv"), "--quiet"};
  }
  std::string vectors() const {
    return read_text(at("x.model") + "/vectors/items.npy") +
           read_text(at("x.model") + "/vectors/users.npy");
  }
  void restore() const {
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("x.")) fs::remove_all(entry.path());
    }
    for (const char* name : {"x.data", "x.model"})
      fs::copy(at(std::string("kept.") + name), at(name), fs::copy_options::recursive);
  }

  TemporaryFolder folder_;
};

TEST_F(CliUpdate, KilledAtAnyMomentItLosesNothing) {
  for (const char* name : {"x.data", "x.model"})
    fs::copy(at(name), at(std::string("kept.") + name), fs::copy_options::recursive);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_penchant(update()).exit_code, 0);
  const auto took = std::chrono::steady_clock::now() - start;
  const std::string updated = vectors();
  const int moments = support::address_sanitizer() ? 4 : 16;
  for (int moment = 0; moment < moments; ++moment) {
    restore();
    {
      Program program(update());
      std::this_thread::sleep_for(took * (moment + 1) / (moments + 1));
      program.signal(SIGKILL);
      program.wait();
    }
    // Whichever model is there answers, of whichever version of the data set it was trained on.
    const ProgramResult list =
        run_penchant({"recommend", at("x.data"), at("x.model"), "--user", "u1", "--json"});
    EXPECT_EQ(list.exit_code, 0) << list.err;
    const ProgramResult again = run_penchant(update());
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(vectors(), updated) << moment;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      EXPECT_FALSE(entry.path().string().ends_with(".unfinished")) << entry.path();
  }
}

TEST_F(CliUpdate, BetweenTheTwoExchangesTheEarlierModelAnswers) {
  const auto list = [&] {
    const ProgramResult result =
        run_penchant({"recommend", at("x.data"), at("x.model"), "--user", "u1", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  };
  const std::string before = list();
  ASSERT_EQ(run_penchant(update()).exit_code, 0);
  const std::string updated = vectors();
  fs::remove_all(at("x.model"));
  fs::rename(at("x.model.v1"), at("x.model"));
  EXPECT_EQ(list(), before);
  const ProgramResult again = run_penchant(update());
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(vectors(), updated);
}

TEST_F(CliUpdate, SaysWhatItDid) {
  std::vector<std::string> verb = update();
  verb.push_back("--json");
  const nlohmann::json done = run_penchant(verb).json();
  EXPECT_EQ(done["model_version"], 2);
  EXPECT_EQ(done["rows"]["rows"]["kept"], 400);
  EXPECT_GT(done["moved"]["items"]["cosine"]["median"], 0.8);
  const ProgramResult old = run_penchant({"evaluate", at("x.data.v1"), at("x.model.v1"), "--split",
                                          "validation", "--quiet"});
  EXPECT_EQ(old.exit_code, 0) << old.err;
  expect_input_error(run_penchant({"update", at("x.data"), at("nothing.model")}),
                     {"nothing.model"});
  expect_input_error(run_penchant({"update", at("x.data"), at("x.model"), "--budget", "soon"}),
                     {"--budget", "soon"});
}

TEST_F(CliUpdate, ASecondOneIsRefusedAtOnce) {
  std::ofstream(at("long.toml")) << "[model]\nkind = \"lightgcn\"\nembedding_dim = 8\n";
  Program first(update());
  ASSERT_TRUE(wait_for_file(at("x.data") + ".unfinished"));
  const ProgramResult second = run_penchant(update());
  first.wait();
  if (second.exit_code == 0) return;  // the first had ended by then
  expect_input_error(second, {"x.data", "in use by process"});
}

TEST_F(CliUpdate, ReplayWritesATableAndAPage) {
  std::ofstream(at("shop.toml")) << "[data]\nlog = [\"first.csv\"]\nout = \"r.data\"\n"
                                    "[data.columns]\nuser = \"user\"\nitem = \"item\"\n"
                                    "time = \"time\"\n[model]\nkind = \"lightgcn\"\n"
                                    "embedding_dim = 8\n[train]\nepochs = 3\n";
  const ProgramResult replayed =
      run_penchant({"replay", at("shop.toml"), "--every", "3 days", "--from", "2020-09-25",
                    "--periods", "2", "--page", at("page.html"), "--quiet"});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("2020-09-28"));
  EXPECT_THAT(replayed.out, HasSubstr("updated / retrained"));
  EXPECT_THAT(read_text(at("page.html")), HasSubstr("What updating is worth"));
  EXPECT_FALSE(fs::exists(at("r.data.replay")));
  expect_input_error(run_penchant({"replay", at("shop.toml"), "--from", "last week"}),
                     {"--from is 'last week'"});
}

}  // namespace
}  // namespace penchant::testing
