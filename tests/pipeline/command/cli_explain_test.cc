// SPDX-License-Identifier: Apache-2.0
// explain as a user meets it.
#include <cmath>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

using CliExplain = ShopTest;

TEST_F(CliExplain, SaysWhyAndRefusesWhatCanNotBe) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  const auto ask = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"explain", data, model};
    all.insert(all.end(), more.begin(), more.end());
    return run_penchant(all);
  };
  const json why = ask({"--user", "u3", "--item", "i7", "--top", "1000", "--json"}).json();
  double sum = why["residual"];
  for (const json& had : why["history"]) sum += had["share"].get<double>();
  for (const json& part : why["parts"]) sum += part.get<double>();
  const double score = why["score"];
  EXPECT_NEAR(sum, score, 1e-6 * std::abs(score) + 1e-9);
  EXPECT_LE(std::abs(why["residual"].get<double>()), 1e-4 * std::abs(score) + 1e-6);
  EXPECT_EQ(why["history"].size(), why["items_of_history"]);
  EXPECT_EQ(why["history"][0]["last"].get<std::string>().size(), 10U) << "a day";

  const ProgramResult text = ask({"--user", "u3", "--item", "i7", "--top", "2"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find(why["sentence"].get<std::string>()), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("other items"), std::string::npos) << text.out;
  const json near = ask({"--item", "i7", "--similar", "i8", "--json"}).json();
  EXPECT_LE(std::abs(near["residual"].get<double>()), 1e-5);
  EXPECT_EQ(ask({"--item", "i7", "--history", "i8,i9", "--json"}).json()["items_of_history"], 2);

  expect_input_error(ask({"--user", "u3000", "--item", "i7"}), {"unknown user 'u3000'"});
  expect_input_error(ask({"--user", "u3", "--item", "i7000"}), {"unknown item 'i7000'"});
  expect_input_error(ask({"--item", "i7", "--history", ""}), {"--history"});
  expect_input_error(ask({"--item", "i7"}), {"either --user, --history or --similar"});
  expect_input_error(ask({"--item", "i7", "--user", "u3", "--similar", "i8"}),
                     {"either --user, --history or --similar"});
  expect_input_error(ask({"--item", "i7", "--similar", "i7"}), {"expected another one"});
  expect_input_error(ask({"--user", "u3", "--item", "i7", "--top", "0"}), {"--top is 0"});
  expect_input_error(ask({"--user", "u3", "--item", "i7", "--ranking", "best"}), {"--ranking"});
}

/// A filter with rank 0 has scores and no vectors.
TEST_F(CliExplain, AModelWithoutVectorsIsExplainedByItsFullScore) {
  ingest();
  const std::string data = at("shop.data");
  const std::string model = at("filter.model");
  ASSERT_EQ(
      run_penchant({"train", data, "--out", model, "--quiet", "--set", "model.kind=graph_filter",
                    "--set", "filter.kind=linear", "--set", "filter.rank=0"})
          .exit_code,
      0);
  expect_input_error(run_penchant({"explain", data, model, "--user", "u3", "--item", "i7"}),
                     {"has no vectors"});
  expect_input_error(run_penchant({"explain", data, model, "--similar", "i3", "--item", "i7"}),
                     {"has no vectors"});
  const json why = run_penchant({"explain", data, model, "--user", "u3", "--item", "i7",
                                 "--ranking", "full", "--json"})
                       .json();
  EXPECT_EQ(why["meaning"], "full score");
  EXPECT_LE(std::abs(why["residual"].get<double>()), 1e-4 * why["score"].get<double>());
}

}  // namespace
}  // namespace penchant::testing
