// SPDX-License-Identifier: Apache-2.0
// Private models as a user meets them (docs/privacy_differential.md): what is released, and above all
// what is not, where a guarantee would not hold.
#include <fstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;

class CliPrivate : public ShopTest {
 protected:
  ProgramResult ingest_with(const std::vector<std::string>& settings) {
    return call({"ingest", "--config", at("shop.toml")}, settings);
  }
  ProgramResult release(const std::vector<std::string>& more = {},
                        const std::vector<std::string>& settings = {}) {
    std::vector<std::string> arguments = {
        "train", at("shop.data"), "--out", at("shop.private"), "--epsilon", "4", "--delta", "1e-4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return call(arguments, settings);
  }
  /// Neither a model nor anything spent.
  void expect_refused(const ProgramResult& result, const std::vector<std::string>& words) {
    expect_input_error(result, words);
    EXPECT_FALSE(fs::exists(at("shop.private")));
    EXPECT_FALSE(fs::exists(at("shop.data.privacy.json")));
  }
  static ProgramResult call(std::vector<std::string> arguments,
                            const std::vector<std::string>& settings) {
    arguments.emplace_back("--quiet");
    for (const std::string& setting : settings) {
      arguments.emplace_back("--set");
      arguments.push_back(setting);
    }
    return run_penchant(arguments);
  }
};

TEST_F(CliPrivate, AReleaseAnswersAndASecondOneIsNotCovered) {
  ASSERT_EQ(ingest_with({}).exit_code, 0);
  const ProgramResult result = release();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::exists(at("shop.data.privacy.json")));
  const ProgramResult list =
      run_penchant({"recommend", at("shop.data"), at("shop.private"), "--user", "u1", "--json"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  expect_input_error(release(), {"budget"});
}

TEST_F(CliPrivate, OtherVerbsNeitherReleaseNorChangeOrCompress) {
  ASSERT_EQ(ingest_with({}).exit_code, 0);
  expect_refused(call({"ablate", at("shop.data"), "--out", at("rows")}, {"model.kind=private"}),
                 {"model.kind has no effect on ablate"});
  for (const char* const verb : {"replay", "run"}) {
    expect_refused(call({verb, at("shop.toml")}, {"model.kind=private"}),
                   {verb, "`penchant train` alone"});
  }
  ASSERT_EQ(release().exit_code, 0);
  expect_input_error(call({"update", at("shop.data"), at("shop.private")}, {}),
                     {"a private model is not trained on"});
  expect_input_error(call({"report", at("shop.private"), "--out", at("r.html")}, {}),
                     {"expected --data"});
  expect_input_error(
      call({"compress", at("shop.data"), at("shop.private"), "--vectors", "int8", "--out", at("c")},
           {}),
      {"private"});
}

TEST_F(CliPrivate, AKindThatIsNotPrivateIsRefused) {
  ASSERT_EQ(ingest_with({}).exit_code, 0);
  expect_refused(release({}, {"model.kind=lightgcn"}), {"--epsilon", "lightgcn"});
  expect_refused(call({"train", at("shop.data"), "--out", at("shop.private"), "--epsilon", "0",
                       "--delta", "1e-4"},
                      {}),
                 {"epsilon"});
  expect_refused(call({"train", at("shop.data"), "--out", at("shop.private"), "--epsilon", "4",
                       "--delta", "0.5"},
                      {}),
                 {"delta"});
}

TEST_F(CliPrivate, DataInWhichPeopleDecideAboutOthersRowsAreRefused) {
  ASSERT_EQ(ingest_with({"data.min_item_count=2"}).exit_code, 0);
  expect_refused(release(), {"data.min_item_count"});
  ASSERT_EQ(ingest_with({"data.min_value_users=3"}).exit_code, 0);
  expect_refused(release(), {"data.min_value_users"});
  ASSERT_EQ(ingest_with({"data.split.method=random_per_user"}).exit_code, 0);
  expect_refused(release(), {"random_per_user", "global_time"});
  ASSERT_EQ(ingest_with({"data.split.method=hidden_items"}).exit_code, 0);
  expect_refused(release(), {"hidden_items"});
  ASSERT_EQ(
      ingest_with({"data.split.method=random_per_user", "data.split.test_fraction=0"}).exit_code,
      0);
  EXPECT_EQ(release().exit_code, 0);
}

TEST_F(CliPrivate, AnItemThatAppendBringsWithoutARowIsRefused) {
  ASSERT_EQ(ingest_with({"data.repeats=keep_all"}).exit_code, 0);
  std::ifstream log(at("events.csv"));
  std::string header, row;
  std::getline(log, header);
  std::getline(log, row);
  const std::size_t item = row.find(',');  // user,item,...
  const std::string rest = row.substr(row.find(',', item + 1));
  std::ofstream(at("more.csv")) << header << "\n"
                                << row.substr(0, item) << ",secret-item" << rest << "\n";
  const ProgramResult appended =
      run_penchant({"append", at("shop.data"), "--log", at("more.csv"), "--quiet"});
  ASSERT_EQ(appended.exit_code, 0) << appended.err;
  expect_refused(release(), {"1 item of the log has no row", "data.items.only_listed"});
}

TEST_F(CliPrivate, RowsOfItemsThatTheTableLacksCanBeLeftOut) {
  std::ofstream(at("events.csv"), std::ios::app)
      << "u1,secret-item,view,1735689600000,s0\n"
         "secret-user,secret-item,view,1735689600001,s1\n";
  ASSERT_EQ(ingest_with({}).exit_code, 0);
  expect_refused(release(), {"1 item of the log has no row"});
  const ProgramResult ingested = run_penchant({"ingest", "--config", at("shop.toml"), "--json",
                                               "--quiet", "--set", "data.items.only_listed=true"});
  ASSERT_EQ(ingested.exit_code, 0) << ingested.err;
  const nlohmann::json said = ingested.json();
  EXPECT_EQ(said["num_items"], 150);
  bool counted = false;
  for (const nlohmann::json& reason : said["rows"]["rejected"]) {
    if (reason["reason"] != "item without a row in the item table") continue;
    counted = true;
    EXPECT_EQ(reason["rows"], 2);
    EXPECT_EQ(reason["kind"], "filtered");
  }
  EXPECT_TRUE(counted) << said["rows"];
  EXPECT_EQ(release().exit_code, 0);
  expect_input_error(ingest_with({"data.items.only_listed=true", "data.items.time=price"}),
                     {"data.items.only_listed", "data.items.time"});
}

}  // namespace
}  // namespace penchant::testing
