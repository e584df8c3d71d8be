// SPDX-License-Identifier: Apache-2.0
// penchant audience, as a user meets it: files, JSON, the same bits at any number of threads, and
// what is refused.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

class CliAudience : public ShopTest {
 protected:
  ProgramResult audience(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"audience", at("shop.data"), at("shop.model")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  }
};

TEST_F(CliAudience, WritesWhoIsLikely) {
  ASSERT_NO_FATAL_FAILURE(train());
  const std::vector<std::string> options = {
      "--interest", "category = \"category3\"", "--share", "50%", "--keep-seed", "--json"};
  const auto to = [&](const std::string& out, const std::string& threads) {
    std::vector<std::string> all = options;
    all.insert(all.end(), {"--out", at(out), "--threads", threads});
    return audience(all);
  };
  const ProgramResult one = to("one.csv", "1");
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const json said = one.json();
  EXPECT_EQ(said["users_considered"], 292) << "of 300, those with rows";
  EXPECT_EQ(said["size"], 146);
  EXPECT_EQ(said["kind"], "interest");
  EXPECT_GT(said["base_rate"].get<double>(), 0.0);
  EXPECT_NE(one.err.find("beside the data set and the model"), std::string::npos)
      << "memory is told of";
  const std::string csv = read_text(at("one.csv"));
  EXPECT_EQ(csv.substr(0, csv.find('\n')), "user_id,rank,probability,lift");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 147);
  ASSERT_EQ(to("two.csv", "2").exit_code, 0);
  EXPECT_EQ(read_text(at("two.csv")), csv);
  for (const char* name : {"out.parquet", "out.arrow", "out.jsonl"})
    EXPECT_EQ(to(name, "2").exit_code, 0) << name;
  EXPECT_NE(read_text(at("out.jsonl")).find("\"rank\":1,\"probability\":"), std::string::npos);

  write_text(at("three.csv"), "u1\nu2\nu3\n");
  expect_input_error(audience({"--seed", at("three.csv"), "--unknown", "skip", "--size", "50",
                               "--out", at("x.csv")}),
                     {"known users, expected at least 20"});
  expect_input_error(
      audience({"--interest", "category = \"category3\"", "--size", "301", "--out", at("x.csv")}),
      {"--size is 301", "292 users"});
  expect_input_error(
      audience({"--interest", "category = \"category3\"", "--size", "50", "--out", at("x.txt")}),
      {"x.txt", ".parquet"});
  expect_input_error(
      audience({"--interest", "categry = \"category3\"", "--size", "50", "--out", at("x.csv")}),
      {"--interest, column 1", "did you mean 'category'"});
  EXPECT_FALSE(std::filesystem::exists(at("x.csv")));
}

}  // namespace
}  // namespace penchant::testing
