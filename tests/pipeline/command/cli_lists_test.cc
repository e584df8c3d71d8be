// SPDX-License-Identifier: Apache-2.0
// recommend and similar for many, as a user meets them: files, filters, and what is refused.
#include <algorithm>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class CliLists : public ShopTest {
 protected:
  std::vector<std::string> verb(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {name, at("shop.data"), at("shop.model")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult recommend(const std::vector<std::string>& more,
                          const ProgramOptions& options = {}) {
    return run_penchant(verb("recommend", more), options);
  }
  /// Rows behind the header by their first cell, in the order of the file: "item,score,rank".
  std::map<std::string, std::vector<std::string>> lists(const std::string& name) {
    std::istringstream lines(read_text(at(name)));
    std::string line;
    std::getline(lines, line);
    std::map<std::string, std::vector<std::string>> all;
    while (std::getline(lines, line))
      all[line.substr(0, line.find(','))].push_back(line.substr(line.find(',') + 1));
    return all;
  }
  /// What one user's call prints, in the same words.
  std::vector<std::string> single(const ProgramResult& result) {
    std::vector<std::string> rows;
    const json answer = result.json();
    for (const json& entry : answer["items"]) {
      std::ostringstream row;
      row << entry["item"].get<std::string>() << ',';
      row << json(entry["score"]).dump() << ',' << entry["rank"];
      rows.push_back(row.str());
    }
    return rows;
  }
  /// Scores as numbers: JSON writes float32 with the digits of a double.
  static void expect_equal_rows(const std::vector<std::string>& got,
                                const std::vector<std::string>& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto cells = [](const std::string& row) {
        const auto first = row.find(','), last = row.rfind(',');
        return std::tuple(row.substr(0, first), std::stof(row.substr(first + 1, last - first - 1)),
                          row.substr(last));
      };
      EXPECT_EQ(cells(got[i]), cells(want[i]));
    }
  }
  bool nothing_written() const {
    return std::none_of(fs::directory_iterator(folder_.path()), {}, [](const auto& entry) {
      return entry.path().filename().string().starts_with("lists");
    });
  }
};

TEST_F(CliLists, FilesOfListsAndWhatIsRefused) {
  train();
  const std::string out = at("lists.csv");
  const json report = recommend({"--all-users", "--k", "5", "--out", out, "--json"}).json();
  EXPECT_EQ(report["score"], "inner product");
  EXPECT_EQ(report["rows"], report["lists"].get<int>() * 5);
  EXPECT_GT(report["memory_bytes"], 0);
  EXPECT_EQ(read_text(out).rfind("user_id,item_id,score,rank\n", 0), 0U);
  const auto all = lists("lists.csv");
  EXPECT_EQ(static_cast<int>(all.size()), report["lists"]);
  for (const char* user : {"u3", "u4", "u77"})
    expect_equal_rows(all.at(user), single(recommend({"--user", user, "--k", "5", "--json"})));

  write_text(at("some.txt"), "u77\nu3\nu77\n");
  const ProgramResult some =
      recommend({"--users", at("some.txt"), "--k", "5", "--out", at("lists2.csv"), "--json"});
  EXPECT_EQ(some.json()["repeated"], 1);
  EXPECT_NE(some.err.find("some.txt:3: 1 line with an id of an earlier line"), std::string::npos)
      << some.err;
  EXPECT_EQ(lists("lists2.csv").at("u3"), all.at("u3"));
  EXPECT_EQ(lists("lists2.csv").size(), 2U);

  // Neighbours.
  const json near =
      run_penchant(verb("similar", {"--all-items", "--k", "3", "--out", at("near.csv"), "--json"}))
          .json();
  EXPECT_EQ(near["score"], "cosine");
  EXPECT_EQ(read_text(at("near.csv")).rfind("target_item_id,item_id,score,rank\n", 0), 0U);
  expect_equal_rows(lists("near.csv").at("i7"),
                    single(run_penchant(verb("similar", {"--item", "i7", "--k", "3", "--json"}))));

  // People near people.
  const json people = run_penchant(verb("similar", {"--all-users", "--k", "3", "--out",
                                                    at("people.csv"), "--json"}))
                          .json();
  EXPECT_EQ(people["score"], "cosine");
  EXPECT_EQ(read_text(at("people.csv")).rfind("target_user_id,user_id,score,rank\n", 0), 0U);
  std::vector<std::string> near_u3;
  const json nearest = run_penchant(verb("similar", {"--user", "u3", "--k", "3", "--json"})).json();
  for (const json& one : nearest["users"])
    near_u3.push_back(one["user"].get<std::string>() + ',' + one["score"].dump() + ',' +
                      one["rank"].dump());
  expect_equal_rows(lists("people.csv").at("u3"), near_u3);
  fs::remove(at("people.csv"));
  expect_input_error(run_penchant(verb("similar", {"--user", "u3", "--where", "category = 1"})),
                     {"--where is for lists of items"});
  expect_input_error(run_penchant(verb("similar", {"--user", "u3000"})),
                     {"unknown user 'u3000'", "did you mean"});
  expect_input_error(run_penchant(verb("similar", {"--user", "u3", "--k", "300"})),
                     {"k is 300", "291 users"});

  // Filters are the same for one and for many.
  write_text(at("not.txt"), all.at("u3")[0].substr(0, all.at("u3")[0].find(',')) + "\n");
  const std::vector<std::string> filters = {"--exclude", at("not.txt"), "--k",
                                            "4",         "--at-most",   "category=1"};
  std::vector<std::string> one = {"--user", "u3", "--json"};
  one.insert(one.end(), filters.begin(), filters.end());
  std::vector<std::string> many = {"--all-users", "--out", at("lists3.csv")};
  many.insert(many.end(), filters.begin(), filters.end());
  ASSERT_EQ(recommend(many).exit_code, 0);
  expect_equal_rows(lists("lists3.csv").at("u3"), single(recommend(one)));
  EXPECT_NE(lists("lists3.csv").at("u3")[0], all.at("u3")[0]);

  for (const char* name : {"lists.csv", "lists2.csv", "lists3.csv"}) fs::remove(at(name));
  write_text(at("wrong.txt"), "u3\nu3000\n");
  expect_input_error(recommend({"--users", at("wrong.txt"), "--out", out}),
                     {"wrong.txt:2", "unknown user 'u3000'", "did you mean", "--unknown skip"});
  EXPECT_TRUE(nothing_written());
  EXPECT_EQ(recommend({"--users", at("wrong.txt"), "--out", out, "--unknown", "skip", "--json"})
                .json()["unknown"],
            1);
  fs::remove(out);
  expect_input_error(
      recommend({"--all-users", "--out", at("lists.parquet")}, {.file_size_limit = 2000}),
      {"lists.parquet", "File too large"});
  expect_input_error(recommend({"--all-users", "--out", out}, {.file_size_limit = 2000}),
                     {"lists.csv", "File too large"});
  expect_input_error(recommend({"--all-users"}), {"--all-users writes a file", "--out"});
  expect_input_error(recommend({"--all-users", "--out", at("lists.xlsx")}), {".parquet, .arrow"});
  expect_input_error(recommend({"--user", "u3", "--out", out}), {"--out is for --users"});
  expect_input_error(recommend({"--user", "u3", "--all-users", "--out", out}),
                     {"--user, --history, --users or --all-users"});
  expect_input_error(recommend({"--user", "u3", "--where", "colour = red"}),
                     {"--where, column 1", "no attribute 'colour'", "category"});
  expect_input_error(recommend({"--all-users", "--out", out, "--k", "100000"}), {"k is 100000"});
  EXPECT_TRUE(nothing_written());
}

}  // namespace
}  // namespace penchant::testing
