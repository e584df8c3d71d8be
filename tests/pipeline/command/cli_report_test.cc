// SPDX-License-Identifier: Apache-2.0
// penchant report: the page is whole, names what it needs, and asks for nothing from a network.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// The JSON block of a page.
json facts_of(const std::string& page) {
  const std::string begin = "<script id=\"facts\" type=\"application/json\">";
  const std::size_t first = page.find(begin);
  EXPECT_NE(first, std::string::npos);
  const std::size_t start = first + begin.size();
  return json::parse(page.substr(start, page.find("</script>", start) - start));
}

class CliReport : public ShopTest {};

TEST_F(CliReport, PageHoldsTheFacts) {
  ingest();
  train();
  const ProgramResult result =
      run_penchant({"report", at("shop.model"), "--users", "50", "--map-items", "40", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string path = result.json()["out"].get<std::string>();
  EXPECT_EQ(path, at("shop.html"));
  const std::string page = read_text(path);
  EXPECT_LT(page.size(), std::size_t{15} << 20);
  EXPECT_THAT(page, Not(HasSubstr("<script src=")));
  EXPECT_THAT(page, Not(HasSubstr("<link rel=\"stylesheet\"")));
  EXPECT_THAT(page, Not(HasSubstr("@PLOTLY@")));
  const json facts = facts_of(page);
  EXPECT_GT(facts["rows"]["read"], 0);
  EXPECT_EQ(facts["map"]["items"].size(), 40U);
  EXPECT_EQ(facts["map"]["umap"], true);
  for (const json& item : facts["map"]["items"]) {
    EXPECT_EQ(item["components"].size(), 2U);
    EXPECT_EQ(item["umap"].size(), 2U);
  }
  EXPECT_EQ(facts["metrics"]["users"], 50);
  EXPECT_TRUE(facts["metrics"]["model"].contains("ndcg@20"));
  EXPECT_TRUE(facts["metrics"]["popularity"].contains("ndcg@20"));
  EXPECT_GE(facts["training"].size(), 2U) << "a line an epoch";
  for (const char* made : {"penchant, data", "penchant, model", "penchant, this page"})
    EXPECT_FALSE(facts["versions"][made].get<std::string>().empty()) << made;
  EXPECT_EQ(facts["neighbours"].size(), 8U);
  std::vector<std::string> stages;
  for (const json& stage : facts["stages"]) {
    stages.push_back(stage["stage"].get<std::string>());
    EXPECT_GT(stage["seconds"], 0.0);
    EXPECT_GT(stage["peak_bytes"], 1 << 20);
  }
  EXPECT_THAT(stages, ::testing::Contains("ingest"));
  EXPECT_THAT(stages, ::testing::Contains("train"));
  // Every user and item is in one bin of degrees.
  for (const auto& [name, count] :
       {std::pair{"user_degrees", "users"}, {"item_degrees", "items"}}) {
    std::int64_t nodes = facts["graph"][name]["isolated"].get<std::int64_t>();
    for (const json& bin : facts["graph"][name]["nodes"]) nodes += bin.get<std::int64_t>();
    EXPECT_EQ(nodes, facts["sizes"][count].get<std::int64_t>()) << name;
  }
  double training = 0;
  double recommended = 0;
  for (std::size_t group = 0; group < 10; ++group) {
    training += facts["bias"]["training"][group].get<double>();
    recommended += facts["bias"]["recommended"][group].get<double>();
  }
  EXPECT_NEAR(training, 1.0, 1e-9);
  EXPECT_NEAR(recommended, 1.0, 1e-9);
}

/// Raw ids of what a list verb says with --json.
std::vector<std::string> listed(const json& answer) {
  std::vector<std::string> list;
  for (const json& entry : answer["items"]) list.push_back(entry["item"].get<std::string>());
  return list;
}
std::vector<std::string> ids_at(const json& facts, const json& places) {
  std::vector<std::string> list;
  for (const json& place : places)
    list.push_back(facts["lookup"]["items"]["id"][place.get<std::size_t>()].get<std::string>());
  return list;
}

TEST_F(CliReport, LookupHasTheListsOfTheOtherVerbs) {
  ingest();
  train();
  const auto facts_with = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"report", at("shop.model"), "--users",
                                          "20",     "--map-items",    "20"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(run_penchant(arguments).exit_code, 0);
    return facts_of(read_text(at("shop.html")));
  };
  json facts = facts_with({"--lookup-items", "6", "--set", "report.lookup_users=4"});
  const json& lookup = facts["lookup"];
  EXPECT_EQ(lookup["items"]["shown"], 6);
  EXPECT_EQ(lookup["items"]["all"], facts["sizes"]["items"]);
  EXPECT_EQ(lookup["users"]["shown"], 4);
  EXPECT_EQ(lookup["attributes"], json({"name", "category", "brand", "price"}));
  EXPECT_EQ(facts["data"], "shop.data");
  for (const std::size_t k : {0U, 5U}) {
    const std::string item = lookup["items"]["id"][lookup["items"]["known"][k].get<std::size_t>()];
    EXPECT_EQ(ids_at(facts, lookup["items"]["near"][k]),
              listed(run_penchant({"similar", at("shop.data"), at("shop.model"), "--item", item,
                                   "--k", "10", "--json"})
                         .json()));
  }
  const auto recommended = [&](const json& user, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"recommend", at("shop.data"), at("shop.model"),
                                          "--json",    "--user",        user.get<std::string>()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return listed(run_penchant(arguments).json());
  };
  for (const std::size_t k : {0U, 3U}) {
    const std::string user = lookup["users"]["id"][k];
    const std::vector<std::string> list = ids_at(facts, lookup["users"]["items"][k]);
    EXPECT_EQ(list, recommended(user, {}));
    EXPECT_EQ(lookup["users"]["why"][k],
              run_penchant({"explain", at("shop.data"), at("shop.model"), "--user", user, "--item",
                            list.front(), "--json"})
                  .json()["sentence"]);
  }
  // As the settings of recommend say.
  const std::vector<std::string> kept = {"--set", "evaluate.seen_items=keep"};
  facts = facts_with({"--lookup-items", "0", "--lookup-users", "3", kept[0], kept[1]});
  EXPECT_EQ(facts["lookup"]["items"]["shown"], 0);
  EXPECT_EQ(ids_at(facts, facts["lookup"]["users"]["items"][1]),
            recommended(facts["lookup"]["users"]["id"][1], kept));
  EXPECT_EQ(facts["metrics"]["seen_items_masked"], false);
  EXPECT_TRUE(facts_with({"--lookup-items", "0", "--lookup-users", "0"})["lookup"].is_null());
  expect_input_error(run_penchant({"report", at("shop.model"), "--lookup-items", "-1"}),
                     {"--lookup-items", "0 to"});
  expect_input_error(run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "u1",
                                   "--set", "report.lookup_users=3"}),
                     {"report.lookup_users", "it is for report"});
}

TEST_F(CliReport, NamesCannotEndTheScript) {
  write_text(folder_.path() / "log.csv", [] {
    std::string text = "user,item,time\n";
    for (int k = 0; k < 400; ++k)
      text += "u" + std::to_string(k % 20) + ",<!--<script></script><b>" +
              std::to_string(k * 7 % 30) + "," + std::to_string(k) + "\n";
    return text;
  }());
  ASSERT_EQ(run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user",
                          "--item-column", "item", "--time-column", "time", "--out", at("x.data")})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1"})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"report", at("x.model"), "--data", at("x.data"), "--out", at("x.html")})
                .exit_code,
            0);
  const std::string page = read_text(at("x.html"));
  const std::size_t block = page.find("<script id=\"facts\"");
  const std::size_t end = page.find("</script>", block);
  EXPECT_EQ(page.find('<', block + 1), end) << "a parser could take it for a tag";
  const json facts = facts_of(page);
  EXPECT_THAT(facts["map"]["items"][0]["id"].get<std::string>(),
              HasSubstr("<!--<script></script><b>"));
}

TEST_F(CliReport, MarksInNamesStayText) {
  write_text(folder_.path() / "log.csv", [] {
    std::string text = "user,item,time\n";
    for (int k = 0; k < 400; ++k)
      text += "u" + std::to_string(k % 20) + ",@PLOTLY@ @FACTS@ @TITLE@" +
              std::to_string(k * 7 % 30) + "," + std::to_string(k) + "\n";
    return text;
  }());
  ASSERT_EQ(run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user",
                          "--item-column", "item", "--time-column", "time", "--out", at("x.data")})
                .exit_code,
            0);
  const std::string model = at("@FACTS@ @PLOTLY@.model");
  ASSERT_EQ(
      run_penchant({"train", at("x.data"), "--out", model, "--set", "train.epochs=1"}).exit_code,
      0);
  ASSERT_EQ(
      run_penchant({"report", model, "--data", at("x.data"), "--out", at("x.html")}).exit_code, 0);
  const std::string page = read_text(at("x.html"));
  EXPECT_THAT(page, HasSubstr("<title>@FACTS@ @PLOTLY@.model</title>"));
  EXPECT_THAT(facts_of(page)["map"]["items"][0]["id"].get<std::string>(),
              HasSubstr("@PLOTLY@ @FACTS@ @TITLE@"));
  const std::string plotly =
      read_text(std::filesystem::path(PENCHANT_BINARY_DIR) / "share/penchant/plotly.min.js");
  EXPECT_THAT(page, HasSubstr("<script>" + plotly + "</script>"));
}

TEST_F(CliReport, SaysWhatIsMissing) {
  expect_input_error(run_penchant({"report", at("none.model")}), {"none.model"});
  ingest();
  train();
  std::filesystem::create_directory(at("elsewhere"));
  std::filesystem::rename(at("shop.model"), at("elsewhere/shop.model"));
  expect_input_error(run_penchant({"report", at("elsewhere/shop.model")}),
                     {"--data X.data", "hash"});
  std::filesystem::create_directory(at("share"));
  const std::vector<std::string> arguments = {"report", at("elsewhere/shop.model"), "--data",
                                              at("shop.data")};
  ProgramOptions options;
  options.environment = {{"PENCHANT_SHARE", at("share")}};
  expect_input_error(run_penchant(arguments, options), {"report.html", "PENCHANT_SHARE"});
  write_text(at("share/report.html"), "@TITLE@ @FACTS@ @PLOTLY@");
  expect_input_error(run_penchant(arguments, options), {"plotly.min.js", "plotly", "pip install"});
  expect_input_error(run_penchant({"report", at("elsewhere/shop.model"), "--map-items", "0"}),
                     {"--map-items"});
}

}  // namespace
}  // namespace penchant::testing
