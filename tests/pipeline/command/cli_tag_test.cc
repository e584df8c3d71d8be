// SPDX-License-Identifier: Apache-2.0
// tag as a user meets it: files of both formats, what is said, and what is refused.
#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

class CliTag : public ShopTest {
 protected:
  /// A shop in which every seventh item has no category, and its model.
  void SetUp() override {
    ShopTest::SetUp();
    std::istringstream lines(read_text(at("items.csv")));
    std::string line, text;
    for (int row = 0; std::getline(lines, line); ++row) {
      // item,name,category,brand,price: the name says the category
      std::vector<std::string> cells;
      std::istringstream all(line);
      for (std::string cell; std::getline(all, cell, ',');) cells.push_back(cell);
      if (row > 0) cells[1] = "Item";
      if (row % 7 == 1) cells[2] = "";
      text += cells[0] + "," + cells[1] + "," + cells[2] + "," + cells[3] + "," + cells[4] + "\n";
    }
    write_text(at("items.csv"), text);
    train();
  }
  ProgramResult tag(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"tag", at("shop.data"), at("shop.model")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  }
};

TEST_F(CliTag, WritesARowForEachItemWithoutAValue) {
  const ProgramResult result =
      tag({"--attribute", "category", "--out", at("tags.csv"), "--json", "--threshold", "0.6"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json said = result.json();
  for (const char* told :
       {"beside the data set and the model", "KiB for classifiers", "classifiers: at most about"})
    EXPECT_NE(result.err.find(told), std::string::npos) << "no " << told << " in " << result.err;
  std::istringstream lines(read_text(at("tags.csv")));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "item_id,value,probability,likeliest");
  std::int64_t rows = 0, told = 0;
  while (std::getline(lines, line)) {
    ++rows;
    std::vector<std::string> cells;
    std::istringstream all(line);
    for (std::string cell; std::getline(all, cell, ',');) cells.push_back(cell);
    ASSERT_EQ(cells.size(), 4U) << line;
    EXPECT_EQ((std::stoi(cells[0].substr(1)) + 1) % 7, 1) << line;
    EXPECT_EQ(cells[1].empty(), std::stof(cells[2]) < 0.6F) << line;
    told += cells[1].empty() ? 0 : 1;
  }
  EXPECT_EQ(rows, 22);  // items 0, 7, .. 147
  EXPECT_EQ(said["rows"], rows);
  EXPECT_EQ(said["told"], told);
  EXPECT_EQ(said["not_known"], rows - told);
  EXPECT_EQ(said["missing"], rows);
  EXPECT_EQ(said["threshold"], 0.6);
}

TEST_F(CliTag, TellsOfGivenItemsAndLooksForSuspiciousValues) {
  write_text(at("some.txt"), "i3\ni5\nnever\ni3\n");
  ProgramResult result = tag({"--attribute", "category", "--out", at("tags.csv"), "--items",
                              at("some.txt"), "--unknown", "skip", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["rows"], 2);
  EXPECT_EQ(result.json()["unknown"], 1);
  EXPECT_NE(result.err.find("earlier line left out"), std::string::npos) << result.err;
  result = tag({"--attribute", "category", "--out", at("odd.parquet"), "--suspicious", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_text(at("odd.parquet")).substr(0, 4), "PAR1");
  EXPECT_FALSE(result.json().contains("told"));
  result = tag({"--attribute", "category", "--out", at("all.csv"), "--all-items"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("told of"), std::string::npos) << result.out;
}

TEST_F(CliTag, RefusesWhatItCannotDo) {
  const std::string out = at("tags.csv");
  expect_input_error(tag({"--attribute", "categry", "--out", out}),
                     {"categry", "did you mean 'category'?"});
  expect_input_error(tag({"--attribute", "price", "--out", out}), {"price", "numeric"});
  expect_input_error(tag({"--attribute", "name", "--out", out}), {"name", "text"});
  expect_input_error(tag({"--attribute", "brand", "--out", out}), {"nothing is missing"});
  expect_input_error(tag({"--attribute", "category", "--out", out, "--threshold", "1.2"}),
                     {"1.2", "0 to 1"});
  expect_input_error(tag({"--attribute", "category", "--out", out, "--min-support", "999"}),
                     {"999"});
  expect_input_error(tag({"--attribute", "category", "--out", at("tags.txt")}),
                     {".csv or .parquet"});
  expect_input_error(tag({"--attribute", "category", "--out", out, "--items", at("none.txt")}),
                     {"none.txt"});
  expect_input_error(
      tag({"--attribute", "category", "--out", out, "--suspicious", "--threshold", "0.5"}),
      {"--threshold", "--suspicious"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace penchant::testing
